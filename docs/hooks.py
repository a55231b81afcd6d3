"""MkDocs hooks: add pages from outside docs/ to the site, so that their links work there and in the repository."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OVERVIEW = "index.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the overview, the model cards with their pictures, and the project's own documents."""
    files.append(File.generated(config, OVERVIEW, content=(ROOT / "README.md").read_text(encoding="utf-8")))
    for path in [*ROOT.glob("models/*.md"), *ROOT.glob("models/*.png")]:
        files.append(File.generated(config, f"models/{path.name}", abs_src_path=str(path)))
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "MODEL_LICENSE.md", "SECURITY.md"):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    license_text = "# License\n\n" + (ROOT / "LICENSE").read_text(encoding="utf-8")
    files.append(File.generated(config, "LICENSE.md", content=license_text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite relative links between docs/ and the rest of the repository to the places that pages have in the site."""
    markdown = markdown.replace("](LICENSE)", "](LICENSE.md)")
    if page.file.src_uri in (OVERVIEW, "CHANGELOG.md", "CONTRIBUTING.md", "MODEL_LICENSE.md", "SECURITY.md"):
        return markdown.replace("](docs/", "](")
    return re.sub(r"\]\(\.\./(models/|[A-Z_]+\.md)", r"](\1", markdown)
