"""One conversation at a time: candidate phrases, closed-domain facets."""
