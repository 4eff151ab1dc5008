// Taking the topics away: as CSV of what is shown, or as the files that the server makes of the whole release.
import { useState } from "preact/hooks";
import { bytes, told } from "../api/client";
import { isPublished } from "../api/source";
import type { Release } from "../api/types";
import { handOver } from "../download/file";
import { canonical } from "../verify/canonical";

const TABLES = ["topics.parquet", "facets.parquet", "topics.csv", "facets.csv"];

export function Saves({ release, topics }: { release: Release; topics: () => void }) {
  const [message, say] = useState("");
  async function fetched(file: string): Promise<void> {
    say("");
    try {
      handOver(`${release.dataset}-${release.epoch}-${file}`, await bytes(`./v1/releases/${encodeURIComponent(release.id)}/tables/${file}`), "application/octet-stream");
    } catch (error) {
      say(told(error));
    }
  }
  return (
    <details class="saves-menu">
      <summary>Download</summary>
      <div class="menu">
        <button type="button" onClick={topics}>
          Topics as shown (CSV)
        </button>
        {!isPublished() &&
          TABLES.map((file) => (
            <button key={file} type="button" onClick={() => void fetched(file)}>
              Whole release: {file}
            </button>
          ))}
        <button type="button" onClick={() => handOver(`${release.id}.json`, canonical(release), "application/json")}>
          Signed release (JSON)
        </button>
        <button type="button" onClick={() => print()}>
          Print
        </button>
        {message && <p role="alert">{message}</p>}
      </div>
    </details>
  );
}
