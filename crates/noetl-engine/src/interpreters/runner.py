"""Runs one python step of a playbook. Reads the request from standard input and writes the answer to a file.

With `--pool` it stays, and runs each step that it is sent in a process of its own: a copy of itself, which needs no start.
"""

import asyncio
import ast
import dataclasses
import datetime
import decimal
import enum
import importlib
import inspect
import json
import keyword
import linecache
import math
import os
import sys
import textwrap
import traceback
import types

MISSING = object()
# The modules in which code of the step runs.
STEPS = []


def plain(value, above=()):
    """Returns a value as JSON types."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value, above)
    if isinstance(value, str):
        # JSON cannot hold lone surrogates.
        value = str(value)
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (float, decimal.Decimal)):
        value = float(value)
        return value if math.isfinite(value) else None
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return text(bytes(value))
    if id(value) in above:
        raise ValueError("the result refers to itself")
    return nested(value, above + (id(value),))


def text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        import base64

        return base64.b64encode(data).decode("ascii")


def nested(value, above):
    if isinstance(value, dict) or (hasattr(value, "keys") and hasattr(value, "__getitem__") and not hasattr(value, "to_dict")):
        return {key(name): plain(value[name], above) for name in value.keys()}
    if isinstance(value, (list, tuple, set, frozenset, range, types.GeneratorType, map, filter, zip)):
        return [plain(item, above) for item in value]
    if isinstance(value, (type({}.keys()), type({}.values()), type({}.items()))):
        return [plain(item, above) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), above) for field in dataclasses.fields(value)}
    return foreign(value, above)


def foreign(value, above):
    """Converts values of numpy, pandas and pydantic, recognized by their methods; other values become text."""
    if not isinstance(value, type):
        if hasattr(value, "to_dict") and hasattr(value, "columns"):
            return plain(value.to_dict("records"), above)
        for method in ("tolist", "item", "model_dump"):
            convert = getattr(value, method, None)
            if callable(convert):
                return plain(convert(), above)
    return plain(str(value), above)


def key(name):
    if name is None:
        return "null"
    if isinstance(name, bool):
        return "true" if name else "false"
    if isinstance(name, enum.Enum):
        name = name.value
    if isinstance(name, (datetime.datetime, datetime.date)):
        name = name.isoformat()
    return plain(str(name))


def bind(main, args, context):
    """Returns the arguments for `main`: values by name, or all values for a single parameter of another name."""
    try:
        parameters = list(inspect.signature(main).parameters.values())
    except (TypeError, ValueError):
        return [], dict(args)
    given = {**context, **args}
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    single = by_position[0] if len(by_position) == 1 else None
    if single is not None and single.name not in given and single.default is single.empty:
        values = {single.name: given}
    else:
        values = {}
    # Conventional parameter names: `context`, `input_data` and `args`.
    known = {"context": context, "input_data": args, "args": args, **given, **values}
    positional, named = [], {}
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            taken = {p.name for p in parameters}
            named.update({name: value for name, value in args.items() if name not in taken})
            continue
        # A conventional name must not replace a default.
        chosen = given if parameter.default is not parameter.empty else known
        value = chosen.get(parameter.name, MISSING)
        if value is MISSING:
            if parameter.default is parameter.empty:
                raise TypeError(f"main() needs `{parameter.name}`, which is neither in the args nor in the context")
            value = parameter.default
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[parameter.name] = value
    return positional, named


async def awaited(value):
    return await value


def defines_main(tree):
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "main" for node in tree.body)


def libraries(libs):
    """Yields name and value of each entry of `libs`: a module, or with `{from: …, import: …}` a part of one."""
    for name, source in libs.items() if isinstance(libs, dict) else ():
        if isinstance(source, dict):
            yield name, part(source["from"], source.get("import", name))
        else:
            yield name, importlib.import_module(source or name)


def part(module, name):
    """Returns what `from module import name` gives: a part of the module, or a module below it."""
    whole = importlib.import_module(module)
    try:
        return getattr(whole, name)
    except AttributeError:
        return importlib.import_module(f"{module}.{name}")


def returns(body):
    """Whether these statements return without being inside a function or a class."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for node in body:
        if isinstance(node, ast.Return):
            return True
        if not isinstance(node, inner) and returns(ast.iter_child_nodes(node)):
            return True
    return False


def as_function(tree, names):
    """Puts code that returns at its top level into a function, whose parameters are the names that it is given.

    Without a return it gives the value of `result`, as other code does.
    """
    parameters = ", ".join(sorted(name for name in names if name.isidentifier() and not keyword.iskeyword(name)))
    outer = ast.parse(f"def noetl_step({parameters}): return locals().get('result')")
    function = outer.body[0]
    function.body = [*tree.body, *function.body]
    return ast.fix_missing_locations(outer), function.name


def with_bodies(values):
    """Gives each response of HTTP its `body`, which templates have as another name of its `data`."""
    for value in values.values():
        if isinstance(value, dict) and "status_code" in value and "data" in value:
            value.setdefault("body", value["data"])


def execute(request):
    code, filename = request["code"], request["filename"]
    args, context = request["args"], request["context"]
    with_bodies(args)
    with_bodies(context)
    if code.strip() and code.lstrip("\r\n")[:1] in " \t":
        code = textwrap.dedent(code)
    linecache.cache[filename] = (len(code), None, code.splitlines(True), filename)
    tree = compile(code, filename, "exec", ast.PyCF_ONLY_AST)
    # Code under `if __name__ == "__main__"` must run, unless `main` is called below.
    name = "noetl_step" if defines_main(tree) else "__main__"
    module = types.ModuleType(name)
    module.__file__ = filename
    space = module.__dict__
    space.update(libraries(request.get("libs")))
    space.update(args=args, input_data=args, context=context)
    if "execution_id" in context:
        space["execution_id"] = context["execution_id"]
    space.update({name: value for name, value in args.items() if not name.startswith("__")})
    sys.modules[name] = module
    STEPS.append(module)
    if returns(tree.body):
        given = {name: value for name, value in space.items() if not name.startswith("__")}
        outer, function = as_function(tree, given)
        exec(compile(outer, filename, "exec"), space)
        known = inspect.signature(space[function]).parameters
        return plain(space[function](**{name: given[name] for name in known}))
    exec(compile(tree, filename, "exec"), space)
    main = space.get("main")
    if not callable(main):
        return plain(space.get("result"))
    positional, named = bind(main, args, context)
    result = main(*positional, **named)
    if inspect.isawaitable(result):
        result = asyncio.run(awaited(result))
    return plain(result)


def failure(error, filename):
    """Returns the report of an exception, without the runner's own frames."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != filename:
        frames = frames.tb_next
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == filename else None
    if line is None:
        for frame, number in traceback.walk_tb(frames):
            if frame.f_code.co_filename == filename:
                line = number
    report = "".join(traceback.format_exception(type(error), error, frames))
    sys.stderr.write(report)
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return {
        "type": type(error).__name__,
        "message": plain(str(message)),
        "line": line,
        "traceback": plain(report),
        "module": error.name if isinstance(error, ModuleNotFoundError) else None,
    }


def leave(code):
    """Returns the answer for a call of `sys.exit`."""
    if code is None or code == 0:
        return {"result": None}
    if isinstance(code, int):
        return {"exit": int(code)}
    print(code, file=sys.stderr)
    return {"exit": 1, "message": plain(str(code))}


def work():
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    sys.stdin = open(os.devnull, encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.environ.update(request.get("env") or {})
    if request.get("cwd"):
        os.chdir(request["cwd"])
    if request["folder"]:
        sys.path.insert(0, request["folder"])
    sys.argv = [request["filename"]]
    try:
        answer = {"result": execute(request)}
    except SystemExit as end:
        answer = leave(end.code)
    except BaseException as error:
        answer = {"error": failure(error, request["filename"])}
    with open(request["answer"], "w", encoding="ascii") as file:
        json.dump(answer, file, allow_nan=False)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def serve():
    """Starts a process for each step: standard input, output, error and a pipe for its status come over a socket.

    Writes `started`, and at its end the status of the process. A step whose status is no longer wanted is killed. Returns
    true in the process of a step, and false when the socket is closed.
    """
    import gc
    import select
    import signal
    import socket

    control = socket.socket(fileno=os.dup(0))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    events = select.poll()
    events.register(control, select.POLLIN)
    events.register(woken, select.POLLIN)
    steps = {}
    # What is loaded stays as it is: the copies neither look at it nor copy its memory.
    gc.collect()
    gc.freeze()
    while True:
        for source, _ in events.poll():
            if source == woken:
                os.read(woken, 512)
                ended(steps, events)
            elif source in steps:
                kill(steps[source], signal)
                events.unregister(source)
            elif source == control.fileno():
                data, pipes, _, _ = socket.recv_fds(control, 1, 4)
                if not data:
                    return False
                *streams, status = pipes
                os.write(status, b"started\n")
                child = os.fork()
                if child == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.setpgid(0, 0)
                    control.close()
                    for target, pipe in enumerate(streams):
                        os.dup2(pipe, target)
                    for pipe in (*pipes, woken, wake, *steps):
                        os.close(pipe)
                    reopen()
                    return True
                for pipe in streams:
                    os.close(pipe)
                steps[status] = child
                events.register(status, 0)


def ended(steps, events):
    """Writes the status of the steps that have ended."""
    while True:
        try:
            child, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        for status, step in list(steps.items()):
            if step == child:
                try:
                    events.unregister(status)
                except KeyError:
                    pass
                try:
                    os.write(status, b"%d\n" % how)
                except OSError:
                    pass
                os.close(status)
                del steps[status]


def reopen():
    """Makes the standard streams again, without buffers as with `-u`: those that there are belong to other files."""
    import io

    sys.stdin = sys.__stdin__ = io.TextIOWrapper(open(0, "rb", closefd=False), encoding="utf-8")
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = io.TextIOWrapper(open(number, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def kill(child, signal):
    """Ends a step and the processes that it has started."""
    for end in (os.killpg, os.kill):
        try:
            end(child, signal.SIGKILL)
        except OSError:
            pass


def leave_copy():
    """Ends the process of a step as the end of an interpreter does, without taking apart all that the pool's one has loaded.

    Threads and exit functions run, the step's values end, and files that are open are written.
    """
    import atexit
    import gc
    import io
    import threading

    def write_files():
        everything = gc.get_objects()
        for kind in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):
            for file in everything:
                try:
                    if isinstance(file, kind):
                        file.flush()
                except (OSError, ValueError):
                    pass

    threading._shutdown()
    atexit._run_exitfuncs()
    # Of values that refer to each other, a file may be closed before what is to be written to it.
    write_files()
    for module in STEPS:
        module.__dict__.clear()
    gc.collect()
    write_files()
    os._exit(0)


if sys.argv[1:] != ["--pool"]:
    work()
elif serve():
    work()
    leave_copy()
