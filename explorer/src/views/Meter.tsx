// A budget as a meter: spent and left of rho, in which charges add up, with the epsilon each comes to.
import type { Account } from "../api/types";
import { small } from "../numbers/format";

export function Meter({ title, account }: { title: string; account: Account }) {
  const share = account.allowed.rho > 0 ? Math.min(1, account.spent.rho / account.allowed.rho) : 1;
  const left = account.left.rho > 0;
  return (
    <figure class={left ? "meter" : "meter spent"}>
      <figcaption>
        {title}: {Math.round(share * 100)} % spent{left ? "" : ", nothing left"}
      </figcaption>
      <svg class="meter-bar" width="100%" height="12" aria-hidden="true">
        <rect class="track" width="100%" height="12" rx="6" />
        <rect class="fill" width={`${share * 100}%`} height="12" rx="6" />
      </svg>
      <p class="note">
        Spent ε {small(account.spent.epsilon)}, δ {small(account.spent.delta)}; left ε {small(account.left.epsilon)}, δ {small(account.left.delta)}; allowed ε {small(account.allowed.epsilon)}, δ {small(account.allowed.delta)}. Epsilons do not add up, ρ does: {small(account.spent.rho)} of{" "}
        {small(account.allowed.rho)}.
      </p>
    </figure>
  );
}
