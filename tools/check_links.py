"""check_links.py ROOT: every relative link in the Markdown files leads to a file that is there, and every
#part of one to a heading in it."""
import pathlib
import re
import sys

SKIPPED = ("build", ".", "node_modules", "target")


def without_code(text):
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)


def anchors(path):
    """As the usual renderers make them: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.*?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def main():
    root = pathlib.Path(sys.argv[1])
    pages = [page for page in root.rglob("*.md")
             if not any(part.startswith(SKIPPED) for part in page.relative_to(root).parts)]
    links = bad = 0
    for page in sorted(pages):
        for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            links += 1
            name, _, part = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or (part and part not in anchors(target)):
                print(f"{page.relative_to(root)}: {link} leads nowhere")
                bad += 1
    print(f"{links} links, {bad} that lead nowhere")
    return 1 if bad or not links else 0


if __name__ == "__main__":
    sys.exit(main())
