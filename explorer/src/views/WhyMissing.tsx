// Why something is not shown, without a word about what that is.
import type { Release } from "../api/types";

export function WhyMissing({ release }: { release: Release }) {
  const { unit } = release.guarantee;
  return (
    <details class="why">
      <summary>Why is something missing?</summary>
      <ul>
        <li>
          <strong>Too few.</strong> Noise is added first; a topic, value or phrase whose noisy count stays under the policy's threshold is withheld. That says nothing about how many there are: nobody, or a few, or more and unlucky noise.
        </li>
        <li>
          <strong>The auditor.</strong> Any name, phrase or description that could point at a person is withheld, however many asked.
        </li>
        <li>
          <strong>Limits.</strong> Of one {unit} only so much counts, picked at random. So rare interests of busy people may not appear.
        </li>
        <li>
          <strong>The policy.</strong> Only declared facets with a fixed list of values are counted. Free text never is.
        </li>
      </ul>
      <p>This page hides nothing itself: what is withheld is not in the release at all.</p>
    </details>
  );
}
