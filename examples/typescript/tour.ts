// A tour of the client: the newest release, its largest topic, and what a live question would cost.
// Compile with `tsc -p .`, then: SFUMATO_API_KEY=sfk_... node build/tour.js https://sfumato.example.org
import { Refused, Sfumato } from "./sfumato.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

async function tour(client: Sfumato): Promise<void> {
  const newest = (await client.releases({ limit: 1 })).releases[0];
  if (newest === undefined) return console.log("nothing is published yet");
  const tree = await client.topics(newest.id);
  const largest = tree.topics[0];
  if (largest !== undefined) {
    const { value, low, high } = largest.users;
    console.log(`${newest.id}: ${largest.name}, ${value} users [${low}, ${high}]`);
  }
  try {
    const said = await client.query({ dataset: newest.dataset, epochs: [newest.epoch], measure: "users", dry_run: true });
    for (const quote of said.quotes ?? []) console.log(`${quote.epoch}: rho ${quote.charge["rho"]}`);
  } catch (problem) {
    if (!(problem instanceof Refused)) throw problem;
    console.log(`no live queries here: ${problem.message}`);
  }
}

await tour(new Sfumato(process.argv[2] ?? "http://127.0.0.1:8470", process.env["SFUMATO_API_KEY"] ?? ""));
