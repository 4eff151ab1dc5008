// What colours and sorts the topics, and how to read a colour and its blur.
import { STEPS, type Palette } from "../model/colours";
import type { Choice, Lens } from "../model/lens";
import { shown } from "../numbers/format";
import { go } from "../state/route";

export function LensPicker({ offered, name }: { offered: readonly Choice[]; name: string }) {
  const groups = [...new Set(offered.map((one) => one.group))];
  return (
    <label class="lens">
      <span>Sort and colour by</span>
      <select value={name} onChange={(event) => go({ by: event.currentTarget.value === "users" ? "" : event.currentTarget.value })}>
        {groups.map((group) => {
          const options = offered
            .filter((one) => one.group === group)
            .map((one) => (
              <option key={one.name} value={one.name}>
                {one.title}
              </option>
            ));
          return group === "" ? options : <optgroup label={group}>{options}</optgroup>;
        })}
      </select>
    </label>
  );
}

export function Legend({ lens, palette }: { lens: Lens; palette: Palette }) {
  const [low, high] = palette.domain;
  return (
    <div class="legend">
      {palette.kind !== "plain" && (
        <span class="ramp">
          <span>{shown(low, lens.scale)}</span>
          <svg width="98" height="12" aria-hidden="true">
            {[...Array(STEPS).keys()].map((step) => (
              <rect key={step} class={`${palette.kind}-${step}`} x={step * 14} width="14" height="12" />
            ))}
          </svg>
          <span>{shown(high, lens.scale)}</span>
        </span>
      )}
      <span class="blur">
        <svg width="46" height="18" aria-hidden="true">
          <defs>
            <radialGradient id="legend-sure">
              <stop offset=".95" class="soft-solid" />
              <stop offset="1" class="soft-gone" />
            </radialGradient>
            <radialGradient id="legend-unsure">
              <stop offset=".35" class="soft-solid" />
              <stop offset="1" class="soft-gone" />
            </radialGradient>
          </defs>
          <circle cx="10" cy="9" r="8" fill="url(#legend-sure)" />
          <circle cx="36" cy="9" r="9" fill="url(#legend-unsure)" />
        </svg>
        <span>sharp edge: sure; soft edge: unsure</span>
      </span>
      {palette.kind !== "plain" && (
        <span class="blur">
          <svg width="20" height="16" aria-hidden="true">
            <circle class={`${palette.kind}-5 open`} cx="10" cy="8" r="7" />
          </svg>
          <span>{palette.kind === "turning" ? "pale: the noise alone could explain it" : "pale: known only roughly"}</span>
        </span>
      )}
    </div>
  );
}
