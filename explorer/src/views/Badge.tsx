// Which guarantee stands behind what is shown; a guarded release wears it wherever it is.
export function Badge({ mode, long = false }: { mode: "formal" | "guarded"; long?: boolean }) {
  if (mode === "formal") return <span class="badge formal">Formal guarantee</span>;
  return <span class="badge guarded">{long ? "Guarded mode: names and topics carry no formal guarantee" : "Guarded: no formal guarantee for names"}</span>;
}
