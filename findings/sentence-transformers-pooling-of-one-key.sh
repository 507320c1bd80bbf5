#!/usr/bin/env bash
# sentence-transformers: a `1_Pooling/config.json` that says only `pooling_mode_cls_token: true` makes vectors of another
# length in release 6 than in release 5, without a word.
#
# Release 5 reads the missing `pooling_mode_mean_tokens` as true, so that the first token's row and the mean follow one
# another (twice `hidden_size`). Release 6 takes what is true, and the mean only where nothing is: the first token's row.
# Folders that the library itself saved have all keys; those written by hand or by other tools often have not.
#
# Neither release is imported, since both need PyTorch: the functions that read the keys are taken out of the wheels.
# Found while making the BERT guest read such folders; it follows release 6 (guest/nn/src/pooling.rs).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
for version in 5.1.0 6.2.0; do
    venv/bin/pip -q --disable-pip-version-check download --no-deps --only-binary :all: --dest "$version" \
        "sentence-transformers==$version"
    venv/bin/python -m zipfile -e "$version"/*.whl "$version"
done
venv/bin/python - <<'PYTHON'
import ast
import typing

CONFIG = {"word_embedding_dimension": 384, "pooling_mode_cls_token": True}


def parse(path):
    return ast.parse(open(path).read())


# Release 5: `Pooling(**config)`, then the modes that are true, in the constructor's order.
tree = parse("5.1.0/sentence_transformers/models/Pooling.py")
init = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "__init__")
names = [argument.arg for argument in init.args.args][-len(init.args.defaults) :]
defaults = dict(zip(names, map(ast.literal_eval, init.args.defaults)))
settings = {**defaults, **CONFIG}
five = [key for key, on in settings.items() if key.startswith("pooling_mode_") and on is True]

# Release 6: `_convert_legacy_pooling_kwargs`, which needs nothing else.
tree = parse("6.2.0/sentence_transformers/sentence_transformer/modules/pooling.py")
wanted = [
    node
    for node in tree.body
    if getattr(node, "name", "") == "_convert_legacy_pooling_kwargs"
    or isinstance(node, ast.AnnAssign) and node.target.id == "_LEGACY_POOLING_MODE_KWARGS"
]
scope = {"Any": typing.Any}
exec(compile(ast.Module(wanted, []), "pooling.py", "exec"), scope)
config = dict(CONFIG)
scope["_convert_legacy_pooling_kwargs"](config)
six = config["pooling_mode"]

print("1_Pooling/config.json:", CONFIG)
print("sentence-transformers 5.1.0:", five, "=", 384 * len(five), "numbers")
print("sentence-transformers 6.2.0:", six, "= 384 numbers")
assert five == ["pooling_mode_cls_token", "pooling_mode_mean_tokens"], five
assert six == "cls", six
PYTHON
