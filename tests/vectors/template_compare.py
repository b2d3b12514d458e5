"""Compares what text/chat_template renders with what Jinja renders, set as the transformers library sets it.

Usage: python3 template_compare.py PATH_OF_template_dump [TEMPLATE.jinja...]
       python3 template_compare.py --rows > tests/unit/template_rows.def
In: the templates named, or those of $ONDOL_TEST_ARCHIVE/models/templates, each with many conversations; and template_snippets.py, small
templates that need no archive. Where Jinja fails Ondol has to fail, with the template's own words where raise_exception has some; where
only the sandbox of transformers refuses, the text is that of one without this rule. Each template has to render, with tools and without, at
least once, or NEVER_RENDERS says why not. Needs: jinja2 (3.1.6 was used).
Exit status: 1 when a text differs, 77 (after the snippets) without the archive, or without jinja2.
"""
from collections import Counter
import datetime
import json
import os
from pathlib import Path
import struct
import subprocess
import sys

try:
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment, SecurityError
except ImportError:
    print("skipped: Python lacks jinja2 (tools/requirements.txt)")
    sys.exit(77)

import template_snippets

TIME = 1753000000  # a fixed now: 2025-07-20 08:26:40 UTC
FORMAT, UNSUPPORTED, LIMIT = 4, 5, 6  # of ondol_status


class Generation(Extension):
    """{% generation %} marks what an assistant wrote; the text is the same."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


class Raised(jinja2.exceptions.TemplateError):
    """By the template itself."""


def environment(kind=ImmutableSandboxedEnvironment):
    def raise_exception(message):
        raise Raised(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(text):
        return datetime.datetime.fromtimestamp(TIME, datetime.timezone.utc).replace(tzinfo=None).strftime(text)

    env = kind(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=strftime_now)
    return env


def tool(name, description, properties, required):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {
        "type": "object", "properties": properties, "required": required}}}


TOOLS = [
    tool("get_weather", "Tells the weather of a place.\nIn degrees.", {
        "city": {"type": "string", "description": "the place, \"quoted\" <b> & 'so'"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": ["integer", "null"], "description": "how many"}}, ["city"]),
    tool("search", "Searches é 漢字 🚀", {
        "query": {"type": "string"},
        "filter": {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}, "after": {"type": "number"}}},
        "exact": {"type": "boolean"}}, ["query", "filter"]),
    tool("now", "The time.", {}, []),
]

# For templates that know nothing of several types, of objects within objects, or of tools without parameters.
PLAIN_TOOLS = [
    tool("get_weather", "Tells the weather.", {
        "city": {"type": "string", "description": "the place"}, "days": {"type": "integer", "description": "how many"},
        "share": {"type": "number", "description": "of the sky"}, "exact": {"type": "boolean", "description": "or not"}}, ["city"]),
    tool("search", "Searches.", {
        "tags": {"type": "array", "items": {"type": "string"}, "description": "words"},
        "limits": {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}, "description": "of each"}}, []),
]


def call(name, arguments, key="a1b2c3d4e"):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversations():
    """(name, messages, tools, variables, add_generation_prompt)"""
    user, system = {"role": "user", "content": "Hello, wörld! 🙂"}, {"role": "system", "content": "  Be brief.\n"}
    answer = {"role": "assistant", "content": "Hi there.  \n"}
    weather = {"city": "Seoul", "days": 3, "unit": None, "exact": True, "share": 0.5}
    asks = {"role": "assistant", "content": None, "tool_calls": [call("get_weather", weather)]}
    asks_text = {"role": "assistant", "content": "I will look.", "tool_calls": [call("get_weather", json.dumps(weather))]}
    result = {"role": "tool", "content": '{"degrees": 21}', "name": "get_weather", "tool_call_id": "a1b2c3d4e"}
    two = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "부산"}, "x00000001"), call("now", {}, "x00000002")]}
    thinks = {"role": "assistant", "content": "42.", "reasoning_content": "Let me think.\nSix by seven."}
    inline = {"role": "assistant", "content": "<think>\nSix by seven.\n</think>\n\n42."}
    parts = {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]}
    image = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}
    again = {"role": "user", "content": "And tomorrow?"}
    plain = [
        ("user", [user]), ("system", [system, user]), ("turns", [user, answer, again]),
        ("system turns", [system, user, answer, again, answer]), ("thinks", [user, thinks, again]),
        ("thinks last", [system, user, thinks]), ("inline", [user, inline, again]), ("parts", [system, parts]), ("image", [image]),
        ("developer", [{"role": "developer", "content": "Be kind."}, user]), ("odd role", [user, {"role": "narrator", "content": "x"}]),
        ("two users", [user, again]), ("assistant first", [answer, user]), ("empty", []), ("no text", [{"role": "user", "content": ""}]),
        ("system alone", [system]), ("last assistant", [user, answer]),
    ]
    tooled = [
        ("call", [user, asks, result]), ("call text", [system, user, asks_text, result, answer, again]),
        ("two calls", [user, two, result, {**result, "tool_call_id": "x00000002", "name": "now", "content": "noon"}]),
        ("call last", [user, asks]), ("thinking call", [user, {**asks, "reasoning_content": "A tool."}, result]),
        ("call twice", [user, asks, result, asks_text, result, thinks, again]),
    ]
    for name, messages in plain + tooled:
        for tools in (None, TOOLS):
            for prompt in (True, False):
                yield name, messages, tools, {}, prompt
        yield name, messages, PLAIN_TOOLS, {}, True
    for variables in ({"enable_thinking": False}, {"enable_thinking": True, "thinking": True}, {"date_string": "01 Jan 2024"},
                      {"reasoning_effort": "high", "builtin_tools": ["python", "browser"]}, {"thinking": False, "add_thoughts": True},
                      {"documents": [{"title": "One", "text": "First.", "doc_id": 7}], "citation_mode": "fast", "controls": {"length": "short"}},
                      {"model_identity": "You are a test.", "tool_choice": "required", "thinking_budget": 512, "xml_tools": [1]},
                      {"functions": "[{\"name\": \"now\"}]", "datetime": "2024-01-01"}):
        for name, messages in (plain[3], plain[5], tooled[1], tooled[4]):
            yield name, messages, TOOLS if "call" in name else None, variables, True


# What Jinja refuses whatever the conversation: (template, with tools) -> why.
NEVER_RENDERS = {
    ("CohereForAI-c4ai-command-r-plus-tool_use", False): "it walks the tools without asking whether there are any",
    ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", False): "it walks the tools without asking whether there are any",
    ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", False): "it walks the tools without asking whether there are any",
    ("llama-cpp-deepseek-r1", True): "it hands the result of `map`, which is no list, to tojson",
}

compiled = {}  # (environment, source of the last template) -> Jinja's template
BOS_EOS = [("<s>", "</s>"), (None, None)]


def field(text):
    if text is None:
        return struct.pack("<i", -1)
    raw = text.encode()
    return struct.pack("<i", len(raw)) + raw


def job(source, messages, tools, variables, prompt, bos, eos):
    data = struct.pack("<i", len(messages))
    for message in messages:
        text = message.get("content")
        extra = {k: v for k, v in message.items() if k != "role" and not (k == "content" and isinstance(text, str))}
        data += field(message["role"]) + field(text if isinstance(text, str) else None) + field(json.dumps(extra) if extra else None)
    data += field(source) + field(json.dumps(tools) if tools is not None else None)
    return data + field(json.dumps(variables) if variables else None) + field(bos) + field(eos) + struct.pack("<ii", prompt, TIME)


def in_order(message):
    return {"role": message["role"], "content": message.get("content"), **{k: v for k, v in message.items() if k not in ("role", "content")}}


def expected(env, source, messages, tools, variables, prompt, bos, eos):
    """(text, None) or (None, what Jinja raised)"""
    special = {k: v for k, v in (("bos_token", bos), ("eos_token", eos)) if v is not None}
    given = json.loads(json.dumps({"messages": [in_order(m) for m in messages], "tools": tools, "documents": None, **special, **variables}))
    try:
        key = (env, source)
        if key not in compiled:
            for old in [k for k in compiled if k[0] is env]:
                del compiled[old]
            compiled[key] = env.from_string(source)
        return compiled[key].render(add_generation_prompt=prompt, **given), None
    except Exception as fault:  # whatever a template makes Python raise
        return None, fault


def run(program, jobs):
    data = subprocess.run([program], input=b"".join(jobs), stdout=subprocess.PIPE, check=True).stdout
    at, out = 0, []
    while at < len(data):
        status, n = struct.unpack_from("<ii", data, at)
        out.append((status, data[at + 8:at + 8 + n].decode(errors="replace")))
        at += 8 + n
    assert len(out) == len(jobs), "the program stopped early"
    return out


def difference(want, fault, status, got):
    """None, or what is wrong."""
    if fault is not None and not status:
        return f"rendered, but Jinja fails: {type(fault).__name__}: {fault}"
    if isinstance(fault, Raised) and str(fault)[:100] not in got:
        return f"lacks the template's own words {str(fault)!r}: {got}"
    if fault is not None:
        limit = isinstance(fault, (RecursionError, OverflowError))
        wanted = (FORMAT, UNSUPPORTED, LIMIT) if limit else (FORMAT, UNSUPPORTED)
        return None if status in wanted else f"status {status}, {got}, but Jinja: {type(fault).__name__}: {fault}"
    if status:
        return f"failed: {got}"
    if want == got:
        return None
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    return f"differs at {at}: expected {want[max(0, at - 30):at + 50]!r}, got {got[max(0, at - 30):at + 50]!r}"


def compare(program, cases):
    """cases: (name, arguments of job). Prints what differs; returns how many, counts, and the indices of what rendered."""
    strict, free, faults, kinds, rendered = environment(), environment(SandboxedEnvironment), 0, Counter(), set()
    results = run(program, [job(*arguments) for _, arguments in cases])
    for index, ((name, arguments), (status, got)) in enumerate(zip(cases, results)):
        want, fault = expected(strict, *arguments)
        sandboxed = isinstance(fault, SecurityError)  # forbids `append` and the like; here they work (text_template.h)
        if sandboxed:
            want, fault = expected(free, *arguments)
        wrong = difference(want, fault, status, got)
        if wrong and arguments[0] in template_snippets.DIFFERENT:
            kinds["different on purpose"] += 1
            continue
        kinds["refused by both" if fault is not None else "rendered where the strict sandbox refuses" if sandboxed else "rendered"] += 1
        if fault is None:
            rendered.add(index)
        if wrong:
            faults += 1
            print(f"{name}: {wrong}")
    return faults, kinds, rendered


def check_coverage(cases, rendered):
    """Prints templates that never rendered, and reasons given in vain; returns how many."""
    faults, groups = 0, {}
    for index, (name, arguments) in enumerate(cases):
        group = (name.split(":")[0], arguments[2] is not None)
        groups[group] = groups.get(group, False) or index in rendered
    for (name, tools), ok in groups.items():
        if ok == ((name, tools) in NEVER_RENDERS):
            faults += 1
            print(f"{name} {'with' if tools else 'without'} tools: {'renders, but NEVER_RENDERS lists it' if ok else 'no conversation renders'}")
    return faults


def c_string(text):
    out = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{out}"'


def print_rows():
    """What Jinja makes of the snippets, for a unit test that needs no Python."""
    env = environment()
    print("/* Templates, and what Jinja renders (NULL: it fails). Written by tests/vectors/template_compare.py --rows. */")
    print(f"VARIABLES({c_string(json.dumps(template_snippets.VARIABLES, ensure_ascii=False))})")
    for source in template_snippets.SNIPPETS:
        want, fault = expected(env, source, [], None, template_snippets.VARIABLES, True, "<s>", "</s>")
        if source not in template_snippets.DIFFERENT and not isinstance(fault, SecurityError):
            print(f"ROW({c_string(source)}, {'NULL' if fault else c_string(want)})")


def main():
    if sys.argv[1] == "--rows":
        print_rows()
        return 0
    program, paths = sys.argv[1], sys.argv[2:]
    faults = 0
    if not paths:
        variables = template_snippets.VARIABLES
        faults, kinds, _ = compare(program, [(repr(s), (s, [], None, variables, True, "<s>", "</s>")) for s in template_snippets.SNIPPETS])
        print(f"template snippets: {len(template_snippets.SNIPPETS)}, {dict(kinds)}, {faults} differ")
        archive = os.environ.get("ONDOL_TEST_ARCHIVE")
        if not archive:
            print("skipped: ONDOL_TEST_ARCHIVE, the folder with models/templates, is not set")
            return 1 if faults else 77
        paths = sorted(str(p) for p in (Path(archive) / "models/templates").glob("*.jinja"))
        if not paths:
            print(f"no templates in {archive}/models/templates")
            return 1
    cases = []
    for path in paths:
        source = Path(path).read_text(encoding="utf-8")
        for name, messages, tools, variables, prompt in conversations():
            for bos, eos in BOS_EOS if name == "system" else BOS_EOS[:1]:
                case = (source, messages, tools, variables, prompt, bos, eos)
                label = f"{Path(path).stem}: {name}{', tools' if tools else ''}{', ' + str(variables) if variables else ''}{', prompt' if prompt else ''}"
                cases.append((label, case))
    wrong, kinds, rendered = compare(program, cases)
    wrong += check_coverage(cases, rendered)
    print(f"templates: {len(paths)} with {len(cases)} conversations, {dict(kinds)}, {wrong} differ")
    return 1 if faults or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
