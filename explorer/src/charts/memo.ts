// Components that are drawn again only when what they are given changed.
import { Component, h, type ComponentType, type FunctionComponent } from "preact";

export function memo<Props extends object>(Drawn: FunctionComponent<Props>): ComponentType<Props> {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const [before, after] = [this.props, next] as [Record<string, unknown>, Record<string, unknown>];
      return Object.keys(after).some((name) => before[name] !== after[name]);
    }
    override render(props: Props) {
      return h(Drawn as FunctionComponent<object>, props);
    }
  };
}
