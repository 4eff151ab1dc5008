"""What an injection into a page would try, tried with the browser's own means, and what a strict policy makes of it."""

from __future__ import annotations

INJECTION = """async () => {
    const seen = [];
    document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
    const add = (tag, change) => {
        const node = document.createElement(tag);
        change(node);
        document.body.append(node);
    };
    let markup = "made";
    try { document.createElement("p").innerHTML = "<b>x</b>"; } catch { markup = "refused"; }
    add("style", (node) => { node.textContent = "body { display: none }"; });
    add("img", (node) => { node.src = "http://127.0.0.2:9/x.png"; });
    add("iframe", (node) => { node.src = "http://127.0.0.2:9/"; });
    await fetch("http://127.0.0.2:9/").catch(() => null);
    await new Promise((done) => setTimeout(done, 300));
    return [[...new Set(seen)].map((one) => one.replace(/-(elem|attr)$/, "")).sort(), markup];
}"""
"""A script for a page: directives that were broken, sorted, and whether markup could be made."""

REFUSED = [["connect-src", "frame-src", "img-src", "require-trusted-types-for", "style-src"], "refused"]
