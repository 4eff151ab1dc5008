// Starts the page: takes a handed key out of the address before anything else, then draws.
import { render } from "preact";
import { App } from "./views/App";
import { arrive } from "./state/route";
import { acceptKey, handedKey, isPlausible, tryKey } from "./state/session";
import "./style.css";

function take(): void {
  const handed = handedKey();
  if (!handed || !isPlausible(handed)) return;
  tryKey(handed);
  acceptKey();
}

take();
arrive();
addEventListener("hashchange", () => {
  take();
  arrive();
});
addEventListener("popstate", arrive);

const place = document.getElementById("app");
if (place) render(<App />, place);
