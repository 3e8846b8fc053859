"""``python -m tests.golden`` rewrites every ``response.json``. Read the difference before you keep it."""

from __future__ import annotations

import json

from tests.stories import Story, stories


def text(story: Story) -> str:
    """The golden file's content."""
    return json.dumps(story.answer(), ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    changed = 0
    for story in stories():
        wanted = text(story)
        if not story.golden_path.exists() or story.golden_path.read_text(encoding="utf-8") != wanted:
            story.golden_path.write_text(wanted, encoding="utf-8")
            changed += 1
            print(f"{story.slug}: rewritten")
    print(f"{changed} of {len(stories())} golden answers rewritten")


if __name__ == "__main__":
    main()
