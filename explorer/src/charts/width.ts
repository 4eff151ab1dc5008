// How wide a place on the page is, as it changes.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { RefObject } from "preact";

export function useSize<Kind extends Element>(): [RefObject<Kind>, { width: number; height: number }] {
  const place = useRef<Kind>(null);
  const [size, measured] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const node = place.current;
    if (!node) return;
    const look = (): void => {
      const box = node.getBoundingClientRect();
      measured((before) => (before.width === box.width && before.height === box.height ? before : { width: box.width, height: box.height }));
    };
    look();
    const watching = new ResizeObserver(look);
    watching.observe(node);
    return () => watching.disconnect();
  }, []);
  return [place, size];
}
