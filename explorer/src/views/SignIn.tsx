// Sign in with an API key, which this page keeps in its memory and nowhere else.
import { useEffect, useRef, useState } from "preact/hooks";
import { asked, BAD_KEY, Refusal, told } from "../api/client";
import { forget } from "../api/source";
import { acceptKey, forgetKey, isPlausible, tryKey, whySignedOut } from "../state/session";

export function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  const [message, say] = useState(whySignedOut());
  const [busy, wait] = useState(false);
  useEffect(() => field.current?.focus(), []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const candidate = field.current?.value.trim() ?? "";
    if (field.current) field.current.value = "";
    say("");
    if (!isPlausible(candidate)) return say(BAD_KEY);
    wait(true);
    forget();
    tryKey(candidate);
    try {
      await asked("./v1/releases?limit=1");
    } catch (error) {
      if (!(error instanceof Refusal && error.kind === "denied")) {
        forgetKey();
        wait(false);
        return say(told(error));
      }
    }
    acceptKey();
  }

  return (
    <main class="sign-in" id="main">
      <div class="sign-in-card">
        <p class="wordmark" aria-hidden="true">
          sfumato
        </p>
        <h1>What people ask, and nobody in particular</h1>
        <p class="lead">
          Topics of conversations with an assistant, how many people stand behind each, and how sure that is. Every number is noisy on purpose: it hides whether any one person is in it.
        </p>
        <form onSubmit={(event) => void submit(event)}>
          <label for="key">API key</label>
          <input ref={field} id="key" type="password" autocomplete="off" spellcheck={false} placeholder="sfk_…" required aria-describedby="key-note" />
          <p id="key-note" class="note">
            Kept in this page's memory only; reloading forgets it. Whoever runs this gateway issues keys (<code>sfumato keys issue</code>).
          </p>
          <button type="submit" class="primary" disabled={busy}>
            {busy ? "Looking…" : "Show releases"}
          </button>
        </form>
        {message && (
          <p class="notice" role="alert">
            {message}
          </p>
        )}
      </div>
    </main>
  );
}
