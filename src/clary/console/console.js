// Brings the page up to date every two seconds while it is looked at, changing only what differs.
const PAUSE = 2000;

function renew(present, next) {
  if (present.isEqualNode(next)) return;
  if (present.nodeType !== Node.ELEMENT_NODE || present.nodeName !== next.nodeName || present.nodeName === "svg") {
    present.replaceWith(next.cloneNode(true));
    return;
  }
  const isAtEnd = present.scrollTop + present.clientHeight >= present.scrollHeight - 4;
  for (const { name, value } of next.attributes)
    if (present.getAttribute(name) !== value) present.setAttribute(name, value);
  // What the reader unfolded stays so
  for (const { name } of [...present.attributes])
    if (!next.hasAttribute(name) && name !== "open") present.removeAttribute(name);
  const before = [...present.childNodes], after = [...next.childNodes];
  after.forEach((node, at) => (before[at] ? renew(before[at], node) : present.append(node.cloneNode(true))));
  before.slice(after.length).forEach((node) => node.remove());
  if (isAtEnd && present.classList.contains("log")) present.scrollTop = present.scrollHeight;
}

async function look() {
  const isSelecting = !getSelection().isCollapsed;
  if (!document.hidden && !isSelecting) {
    try {
      const answer = await fetch(location.href, { cache: "no-cache" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        renew(document.querySelector("main"), page.querySelector("main"));
      }
      document.body.classList.toggle("away", !answer.ok);
    } catch {
      document.body.classList.add("away");
    }
  }
  setTimeout(look, PAUSE);
}

document.querySelectorAll(".log").forEach((log) => (log.scrollTop = log.scrollHeight));
setTimeout(look, PAUSE);
