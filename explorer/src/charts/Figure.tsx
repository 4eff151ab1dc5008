// A chart under its heading with what can be done with it: take it away as a table or a picture.
import type { ComponentChildren, RefObject } from "preact";
import { useRef } from "preact/hooks";
import { saveCsv, type Cell } from "../download/csv";
import { savePng, saveSvg } from "../download/picture";

interface Figure {
  title: string;
  file: string;
  guarantee: string;
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
  note?: string;
  level?: 2 | 3;
  children: (picture: RefObject<SVGSVGElement>) => ComponentChildren;
}

export function Figure({ title, file, guarantee, columns, rows, note, level = 3, children }: Figure) {
  const picture = useRef<SVGSVGElement>(null);
  const Heading = `h${level}` as "h2" | "h3";
  const draw = (save: typeof saveSvg | typeof savePng): void => void (picture.current && save(picture.current, file, title, guarantee));
  return (
    <section class="figure">
      <div class="figure-head">
        <Heading>
          <bdi>{title}</bdi>
        </Heading>
        <div class="saves" role="group" aria-label={`Download: ${title}`}>
          <button type="button" class="quiet-button" onClick={() => saveCsv(file, columns, rows, guarantee)}>
            CSV
          </button>
          <button type="button" class="quiet-button" onClick={() => draw(saveSvg)}>
            SVG
          </button>
          <button type="button" class="quiet-button" onClick={() => draw(savePng)}>
            PNG
          </button>
        </div>
      </div>
      {children(picture)}
      {note && <p class="note">{note}</p>}
    </section>
  );
}
