"""Where fixtures lie: OUT/THEME/NAME, and an OUT/THEME/index.json that describes them. A name is enough to find one."""

import json
from pathlib import Path


class Themes:
    """Fixtures by their names, in the order of their themes."""

    def __init__(self, every: dict[str, list]):
        self.fixtures = {fixture.name: fixture for listed in every.values() for fixture in listed}
        self.theme = {fixture.name: theme for theme, listed in every.items() for fixture in listed}
        if len(self.fixtures) < sum(map(len, every.values())):
            raise SystemExit("two fixtures have one name")

    def place(self, out: Path, name: str) -> Path:
        """The path of a fixture's files, without their endings."""
        folder = out / self.theme[name]
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def describe(self, out: Path, made: list[dict], whole: bool, versions: dict[str, str]) -> list[dict]:
        """Writes the entries of what was made; those of other fixtures stay, unless it is the whole. Gives the entries of all."""
        for theme in {self.theme[entry["name"]]: None for entry in made}:
            index = out / theme / "index.json"
            known = {} if whole or not index.exists() else {entry["name"]: entry for entry in entries(index)}
            known |= {entry["name"]: entry for entry in made}
            lines = [json.dumps(known[name], ensure_ascii=False) for name, of in self.theme.items() if of == theme and name in known]
            head = "".join(f"{json.dumps(name)}: {json.dumps(version)}, " for name, version in versions.items())
            index.write_text(f'{{{head}"fixtures": [\n' + ",\n".join(lines) + "\n]}\n")
        return [entry for index in sorted(out.glob("*/index.json")) for entry in entries(index)]


def entries(index: Path) -> list[dict]:
    return json.loads(index.read_text())["fixtures"]
