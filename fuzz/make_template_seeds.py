#!/usr/bin/env python3
"""Writes the seeds of fuzz_template to seeds/template/: some of the templates of tests/vectors/template_snippets.py with the variables
that they name, and one conversation with a chat template.

  make_template_seeds.py [FOLDER]
"""
import json
from pathlib import Path
import re
import sys

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/vectors"))
import template_snippets  # noqa: E402

CHAT = """{%- macro say(m, prefix='') -%}
{{ prefix ~ '<|' ~ m.role ~ '|>' }}{{ m.content | trim if m.content is string else m.content | map(attribute='text') | join }}
{%- endmacro -%}
{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set loop_messages = messages[1:] %}{% else %}{% set loop_messages = messages %}{% endif -%}
{%- for tool in tools or [] %}{{ tool | tojson(indent=2) }}{% endfor %}
{%- set ns = namespace(last=-1) %}
{%- for m in loop_messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{%- set ns.last = loop.index0 %}{{ say(m, bos_token if loop.first else '') }}
{%- for call in m.tool_calls or [] %}{{ call.function.name }}({{ call.function.arguments | items | list }}){% endfor %}{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{{ strftime_now('%d %b %Y') }}{% endif %}"""
CONVERSATION = {"bos_token": "<s>", "add_generation_prompt": True, "tools": [{"name": "now", "parameters": {"n": 1.5, "deep": [[], {}]}}], "messages": [
    {"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hé?"}]},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "now", "arguments": {"n": -1, "x": None}}}]}]}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "seeds/template"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chat").write_bytes(CHAT.encode() + b"\0" + json.dumps(CONVERSATION).encode())
    rows = [row for row in template_snippets.SNIPPETS if len(row) > 20]
    for i, row in list(enumerate(rows))[::7]:
        named = {k: v for k, v in template_snippets.VARIABLES.items() if k in re.findall(r"\w+", row)}
        (folder / f"row_{i:03d}").write_bytes(row.encode() + b"\0" + json.dumps(named, ensure_ascii=False).encode())
    (folder / "limits").write_bytes(b"{% for i in range(9999) %}{{ 'x' * i }}{% endfor %}")


if __name__ == "__main__":
    main()
