// The policy in force in plain words, and as it stands.
import { asked } from "../api/client";
import type { Explanation } from "../api/types";
import { useLoaded } from "../state/loading";
import { Await } from "./Notice";

export function PolicyView() {
  const told = useLoaded<Explanation>("explanation", (signal) => asked("./v1/policy/explanation", { signal }));
  const whole = useLoaded<Record<string, unknown>>(told.state === "there" ? "policy" : null, (signal) => asked("./v1/policy", { signal }));
  return (
    <div class="narrow">
      <h1>The policy in force</h1>
      <p class="lead">What it lets anybody learn, at what cost and how exactly, worked out from the policy alone.</p>
      <Await of={told} what="the policy">
        {(found) => (
          <>
            <p class="note">
              Digest <code>{found.digest}</code>
            </p>
            <div class="explained">
              {found.sections.map((section) => (
                <section key={section.title} class={/^What is NOT/.test(section.title) ? "warning" : ""}>
                  <h2>{section.title}</h2>
                  <ul>
                    {section.lines.map((one) => (
                      <li key={one}>
                        <bdi>{one}</bdi>
                      </li>
                    ))}
                  </ul>
                </section>
              ))}
            </div>
            {whole.state === "there" && (
              <details class="why">
                <summary>The document itself</summary>
                <pre class="scroll" tabIndex={0}>
                  {JSON.stringify(whole.value["policy"] ?? whole.value, null, 2)}
                </pre>
              </details>
            )}
          </>
        )}
      </Await>
    </div>
  );
}
