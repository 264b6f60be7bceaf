"""Which models runtimes say they load: `python -m tests.support.runtime_architectures MONTH WHEEL...` writes
`data/runtime_architectures.csv` anew from the wheels of vllm, sglang, mlx-lm and transformers.

Nothing in a wheel is run: its registries are read as text. vLLM and SGLang look a model up by the class that its config
names, mlx-lm by its `model_type`. What vLLM had a loader of its own for until some release it may still run by the
code of transformers, where that has the class.
"""

from __future__ import annotations

import argparse
import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from advisor.runtimes.architectures import TABLE, Row

_VLLM = "vllm/model_executor/models/registry.py"
_NOT_MODELS = frozenset({"_SPECULATIVE_DECODING_MODELS", "_TRANSFORMERS_BACKEND_MODELS", "_VLLM_MODELS"})
_GONE = "_PREVIOUSLY_SUPPORTED_MODELS"
_ELSEWHERE = "_OOT_SUPPORTED_MODELS"  # by plugins only
_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_LINKS = {
    "vllm": f"https://github.com/vllm-project/vllm/blob/v{{version}}/{_VLLM}",
    "sglang": "https://github.com/sgl-project/sglang/tree/v{version}/python/sglang/srt/models",
    "mlx": "https://github.com/ml-explore/mlx-lm/tree/v{version}/mlx_lm/models",
}


def vllm_names(registry: str, elsewhere: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Name, whether it is loaded, and the last release that did by itself; `elsewhere` are transformers' classes."""
    tables = dict(_dictionaries(ast.parse(registry)))
    loaded = {name for table, names in tables.items() if _is_of_models(table) for name in names}
    for name in loaded:
        yield name, "yes", ""
    for name, until in tables[_GONE].items():
        if name not in loaded:
            yield name, "unsure" if name in elsewhere else "no", until


def _is_of_models(table: str) -> bool:
    return table.endswith("_MODELS") and table not in {*_NOT_MODELS, _GONE, _ELSEWHERE}


def _dictionaries(tree: ast.Module) -> Iterator[tuple[str, dict[str, str]]]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            pairs = [
                (key.value, value.value if isinstance(value, ast.Constant) else "")
                for key, value in zip(node.value.keys, node.value.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
            yield ast.unparse(target), {str(key): str(value) for key, value in pairs}


def sglang_names(sources: Iterator[str]) -> Iterator[str]:
    """The classes that its modules enter."""
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EntryClass":
                entered = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
                yield from (ast.unparse(one) for one in entered)


def mlx_names(sources: dict[str, str], utils: str) -> Iterator[str]:
    """The types that have a module of their own, and those that are another's."""
    yield from (name for name, source in sources.items() if _binds_model(ast.parse(source)))
    renamed = dict(_dictionaries(ast.parse(utils)))["MODEL_REMAPPING"]
    yield from (name for name, module in renamed.items() if module in sources)


def _binds_model(tree: ast.Module) -> bool:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Model":
            return True
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == "Model" for one in node.names):
            return True
    return False


def rows_of(wheels: list[Path], month: str) -> list[Row]:
    """All rows, by runtime and name; raises ValueError where a wheel is missing."""
    read = {path.name.partition("-")[0]: ZipFile(path) for path in wheels}
    versions = {path.name.partition("-")[0]: path.name.split("-")[1] for path in wheels}
    if missing := {"vllm", "sglang", "mlx_lm", "transformers"} - set(read):
        raise ValueError(f"no wheel of {', '.join(sorted(missing))}")
    classes = frozenset(
        name for source in _sources(read["transformers"], "transformers/models/").values()
        for name in _CLASS.findall(source)
    )  # fmt: skip
    found = [("vllm", *one) for one in vllm_names(read["vllm"].read(_VLLM).decode(), classes)]
    entered = sglang_names(iter(_sources(read["sglang"], "sglang/srt/models/").values()))
    found += [("sglang", name, "yes", "") for name in entered if not name.startswith("Transformers")]
    types = mlx_names(_sources(read["mlx_lm"], "mlx_lm/models/"), read["mlx_lm"].read("mlx_lm/utils.py").decode())
    found += [("mlx", name, "yes", "") for name in types]
    rows = []
    for runtime, name, loads, until in sorted(set(found)):
        version = versions["mlx_lm" if runtime == "mlx" else runtime]
        link = _LINKS[runtime].format(version=version)
        values = {"runtime": runtime, "name": name, "loads": loads, "until": until, "version": version}
        rows.append(Row.model_validate({**values, "source_url": link, "as_of": month}))
    return rows


def _sources(wheel: ZipFile, folder: str) -> dict[str, str]:
    paths = [name for name in wheel.namelist() if name.startswith(folder) and name.endswith(".py")]
    return {path.rpartition("/")[2].removesuffix(".py"): wheel.read(path).decode() for path in sorted(paths)}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("month", metavar="MONTH", help="when the wheels were the newest, such as 2026-11")
    parser.add_argument("wheels", metavar="WHEEL", nargs="+", type=Path)
    options = parser.parse_args()
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row.model_fields)
        writer.writerows(row.model_dump().values() for row in rows_of(options.wheels, options.month))


if __name__ == "__main__":
    main()
