"""A tour of the client: `SFUMATO_API_KEY=sfk_... client.py URL [RELEASE_KEY]`. Reads the newest release and a topic."""

from __future__ import annotations

import sys

from sfumato import Client
from sfumato.client.failures import ApiError
from sfumato.client.findings import Side
from sfumato.errors import SfumatoError


def tour(client: Client) -> None:
    """What can be asked with a key that reads releases; nothing here spends any budget."""
    newest = next(client.releases(), None)
    if newest is None:
        print("nothing is published yet")
        return
    release = client.release(newest.id)  # its signature is checked, with or without a pinned key
    print(release)

    topic, *others = release.topics
    print(client.topic(release.id, topic.id))
    print(client.trend(newest.dataset, topic.id))
    print(client.search(release.id, topic.name[:200], limit=3))
    for facet in list(release.release.facets)[:1]:
        print(client.breakdown(release.id, facet))
    if others:
        a, b = (Side(release=release.id, topic=one.id) for one in (topic, others[0]))
        print(client.compare("users", a, b))

    print(client.guarantee(release.id))
    print(f"{release.to_arrow().num_rows} rows for a frame")

    question = {"dataset": newest.dataset, "epochs": [newest.epoch], "measure": "users"}
    try:
        print(client.quote(question))  # what `client.ask(question)` would cost
    except ApiError as problem:
        print(f"no live queries here: {problem.title}")


def main() -> None:
    """Read the address, and perhaps the key that releases must be signed with."""
    url, *pinned = sys.argv[1:]
    with Client(url, release_key=pinned[0] if pinned else None) as client:
        tour(client)


if __name__ == "__main__":
    try:
        main()
    except SfumatoError as problem:
        sys.exit(str(problem))
