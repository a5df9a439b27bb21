# SPDX-License-Identifier: MIT
"""GDB commands that show what toto is doing in a process that hangs, or did when it left a core file.

    gdb -p PID            (or: gdb PROGRAM CORE)
    (gdb) source toto_gdb.py
    (gdb) toto            everything: the commands below, one after the other
    (gdb) toto queues     queues: their workers, what each is doing, what is queued, who awaits it
    (gdb) toto pools      pools: who holds an instance, and who waits for one
    (gdb) toto loops      event loops: the coroutines they have started, what is posted, timers
    (gdb) toto coroutines suspended coroutines, with those that await them, and what they wait for

Only memory is read: nothing runs in the process. The program has to be compiled with -g. See also
docs/how-to/hanging-programs.md.

It reads private members of the library. If one is missing, because the library has changed, it says which; tests/gdb
finds that.
"""

import re
import time

import gdb

MISFIT = "the script does not fit this version of toto"
# --- Reading values, whatever the standard library.


def strip(kind):
    return kind.unqualified().strip_typedefs()


def object_at(address, kind):
    """The object at an address. (As an element of an array: dereferencing a pointer to a class, GDB asks the virtual
    table, and warns of each class of a lambda.)"""
    kind = strip(kind)
    if kind.sizeof == 0:  # Clang has left it out
        return gdb.Value(int(address)).cast(kind.pointer()).dereference()
    return gdb.Value(int(address)).cast(kind.array(0).pointer()).dereference()[0]


def pointee(pointer):
    return object_at(pointer, strip(pointer.type).target())


def members(value):
    """The members of an object in memory, and of its bases: (name, value)."""
    for field in strip(value.type).fields():
        if not hasattr(field, "bitpos"):
            continue  # static
        member = object_at(int(value.address) + field.bitpos // 8, field.type)
        if field.is_base_class:
            yield from members(member)
        else:
            yield field.name, member


def get(value, *names):
    """The member of a member..., through pointers and references."""
    for name in names:
        if strip(value.type).code == gdb.TYPE_CODE_PTR:
            value = pointee(value)
        found = [member for called, member in members(value) if called == name]
        if not found:
            raise gdb.GdbError(f"toto_gdb.py: {value.type} has no member {name}: {MISFIT}")
        value = found[-1]  # one that hides that of a base
    return value


def leaves(value):
    """The scalars that an object consists of."""
    if strip(value.type).code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        for _, member in members(value):
            yield from leaves(member)
    else:
        yield value


def scalar(value):
    """What a std::atomic, unique_ptr, coroutine_handle, time_point or Ref holds."""
    return next(leaves(value))


def number(value):
    return int(scalar(value))


def enumerator(value):
    return str(scalar(value)).rsplit("::", 1)[-1]


def text(value):
    """A std::string or std::string_view."""
    def memory(address, size):
        return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""

    parts = list(leaves(value))
    pointers = [int(part) for part in parts if strip(part.type).code == gdb.TYPE_CODE_PTR]
    if "basic_string_view" in str(strip(value.type)):
        found = memory(pointers[0], next(int(part) for part in parts if strip(part.type).code == gdb.TYPE_CODE_INT))
    elif any(name == "_M_string_length" for name, _ in members(value)):  # libstdc++
        found = memory(pointers[0], int(get(value, "_M_string_length")))
    else:  # libc++: one bit of the first byte says whether the text is elsewhere
        raw = memory(int(value.address), 24)
        words = [int.from_bytes(raw[place : place + 8], "little") for place in (0, 8, 16)]
        found = memory(words[2], words[1]) if raw[0] & 1 else raw[1 : 1 + (raw[0] >> 1)]
    return found.decode(errors="replace")


def chain(first, following="next"):
    """The nodes of an intrusive list."""
    while first:
        yield first
        first = get(first, following)


def nodes(a_list):
    return chain(get(a_list, "first_"))


def find_type(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        return None


def library_type(name):
    """A class of toto::detail; its templates have the parameter StdRuntime."""
    for version in versions():
        space = f"toto::{version}"
        kind = find_type(f"{space}::detail::{name}") or find_type(f"{space}::detail::{name}<{space}::StdRuntime>")
        if kind is not None:
            return kind
    raise gdb.GdbError(f"toto_gdb.py: there is no class toto::detail::{name}: {MISFIT}")


def offset_in(whole, part):
    """Where an object of the class `part` begins in one of the class `whole`, as a base or a member, or None."""
    if strip(whole) == strip(part):
        return 0
    for field in sorted(strip(whole).fields(), key=lambda field: not field.is_base_class):
        if hasattr(field, "bitpos") and strip(field.type).code == gdb.TYPE_CODE_STRUCT:
            inner = offset_in(field.type, part)
            if inner is not None:
                return field.bitpos // 8 + inner
    return None


def downcast(pointer, kind):
    """A pointer to a part of an object of the class `kind` as one to the whole; None: that has no such part."""
    offset = offset_in(kind, pointer.type.target())
    return None if offset is None else gdb.Value(int(pointer) - offset).cast(kind.pointer())


def class_name(pointer):
    """The class of the whole object, from a pointer to a base that has virtual functions, by its virtual table."""
    return (symbol_at(word_at(int(pointer))) or "").replace("vtable for ", "", 1)


def most_derived(pointer):
    """The whole object, or, if its class has no name that GDB finds, as with those of lambdas, just that base."""
    kind = find_type(class_name(pointer))
    if kind is None:
        return pointer
    to_top = gdb.Value(word_at(int(pointer)) - 16).cast(gdb.lookup_type("long").pointer()).dereference()
    return gdb.Value(int(pointer) + int(to_top)).cast(kind.pointer())


def symbol_at(address):
    """The name of the function at an address, or None."""
    if not address:
        return None
    found = re.match(r"(.+?)(?: \+ \d+)? in section ", gdb.execute(f"info symbol {int(address)}", to_string=True))
    return found and found[1]


def short(name):
    """A name of the library's, without what is the same everywhere."""
    name = re.sub(r"toto::(v\d+_\d+::)?(detail::)?", "", name)
    name = re.sub(r"StdRuntime, |,? ?StdRuntime", "", name).replace("<>", "")
    return name.replace("std::__n4861::", "std::").replace("std::__1::", "std::")


def task_name(task):
    """The types of a task's callable and arguments."""
    name = short(class_name(task))
    while inner := re.match(r"\w*State<(.*)>$", name.strip()):  # BlockState<CallState<...>>
        name = inner[1]
    return name.strip()


def knows_time():
    """The process runs on this machine, whose clock it reads."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    return connection is not None and connection.type == "native"


def age(since):
    return f" for {(time.monotonic_ns() - number(since)) / 1e9:.3f} s" if knows_time() and number(since) else ""


# --- What there is: the library keeps a list of everything that takes part in forks.


everything_found = None  # during a command


def everything():
    """Pointers to the queues, pools, loops and so on of the process, each of its most derived type."""
    global everything_found
    if everything_found is not None:
        return everything_found
    found = []
    listing = gdb.execute("info variables -q global<.*ForkAware<.*>::Everything>", to_string=True)
    for line in listing.splitlines():
        match = re.match(r"(0x[0-9a-f]+)\s+(.*global<(.*)>\(\)::object)$", line.strip())
        if match is None or "guard variable" in line:
            continue
        kind = find_type(match[3])
        if kind is None:
            raise gdb.GdbError("toto_gdb.py: there is no debug information: compile the program with -g")
        keeper = gdb.Value(int(match[1], 16)).cast(kind.pointer().pointer()).dereference()
        if keeper:
            found += [most_derived(each) for each in chain(get(keeper, "first_"), "next_")]
    everything_found = found
    return found


def all_of(name):
    return [each for each in everything() if re.search(rf"::{name}<", str(strip(each.type.target())))]


# --- Coroutines.


def readable(address):
    try:
        gdb.selected_inferior().read_memory(address, 32)
        return True
    except gdb.MemoryError:
        return False


def word_at(address):
    return int(gdb.Value(address).cast(gdb.lookup_type("unsigned long").pointer()).dereference())


def coroutine_name(frame):
    """ "fetch(Server&) at server.cpp:12", or None: this is no suspended coroutine."""
    if not frame or not readable(frame):
        return None
    resume = word_at(frame)
    name = symbol_at(resume)
    if name is None or name.startswith("vtable for"):
        return None
    name = re.sub(r" ?\[clone [^]]*\]|\.(actor|resume)$", "", name)
    name = re.sub(r"^(.*?)\((\1\(.*\).*)::_Z.*Frame\*\)$", r"\2", name)  # GCC: f(f(int)::_Z1fi.Frame*)
    name = short(name)
    place = gdb.find_pc_line(resume)
    return name + (f" at {place.symtab.filename.rsplit('/', 1)[-1]}:{place.line}" if place.symtab else "")


def awaiters(frame):
    """The coroutine, the one that awaits it, and so on. Ends where a coroutine is not known to be a Task."""
    base = library_type("TaskPromiseBase")
    while frame and coroutine_name(frame):
        yield frame
        promise = gdb.Value(frame + 2 * 8).cast(base.pointer())
        frame = number(get(promise, "awaiter_", "coroutine"))


def of_user(frame):
    """The coroutine; or, if that is the library's own, the one that awaits it."""
    return next((each for each in awaiters(frame) if not re.match(r"take_permit\b", coroutine_name(each))), frame)


def versions():
    """The inline namespaces of the objects that were found: usually one."""
    found = {match[1] for each in everything() if (match := re.search(r"toto::(v\d+_\d+)::", str(each.type)))}
    return sorted(found)


def coroutine_in(value, depth=2):
    """The address of the coroutine that an object refers to, or 0."""
    further = []
    for _, member in members(value):
        kind = strip(member.type)
        if kind.code == gdb.TYPE_CODE_STRUCT:
            if "coroutine_handle<" in str(kind):
                if number(member):
                    return number(member)
            else:
                further.append(member)
        elif kind.code == gdb.TYPE_CODE_PTR and "toto::" in str(kind) and not re.search("Core<|Worker<", str(kind)):
            if depth > 0 and member and strip(kind.target()).code == gdb.TYPE_CODE_STRUCT and readable(int(member)):
                further.append(pointee(member))
    for member in further:
        try:
            if frame := coroutine_in(member, depth - 1):
                return frame
        except gdb.error:
            continue
    return 0


def awaiter_of(task):
    """The coroutine that awaits a task, or 0. `task`: a pointer to a QueuedTask, or to what derives from it."""
    if "Wait<" in class_name(task):
        return 0  # not a task, but a coroutine's place in line
    state = downcast(task, library_type("TaskState"))
    word = enumerator(get(state, "word_"))
    waiter = get(state, "waiter_")
    if word in ("awaited", "posted"):
        return number(get(waiter, "coroutine"))
    if word == "observed":
        return coroutine_in(pointee(most_derived(get(waiter, "observer"))))
    return 0


def class_of(function):
    """The class that a function's name says it belongs to, or None: the longest beginning that is a type."""
    depth, ends = 0, []
    for place, letter in enumerate(function):
        depth += letter in "<({"
        depth -= letter in ">)}"
        if depth == 0 and function.startswith("::", place):
            ends.append(place)
    for end in reversed(ends):
        kind = find_type(function[:end])
        if kind is not None and strip(kind).code == gdb.TYPE_CODE_STRUCT:
            return kind
    return None


def coroutine_of(node):
    """What a Continuation will resume: the address of a coroutine, or 0."""
    kind = class_of(symbol_at(scalar(get(node, "run"))) or "")
    if kind is None:
        return 0
    whole = downcast(node, kind)
    if whole is None:
        return 0
    if any(name == "word_" for name, _ in members(pointee(whole))):
        return awaiter_of(whole)
    return coroutine_in(pointee(whole))


def suspended():
    """(coroutine, what it waits for) for each that can be found."""
    for queue in all_of("QueueCore"):
        name = text(get(queue, "name_"))
        for task, where in queued_tasks(queue):
            if frame := awaiter_of(task):
                yield frame, f"a task of queue '{name}', which is " + where.replace("waits", "waiting")
        for node in nodes(get(queue, "order_", "nodes_")):
            if not is_task(node) and (frame := coroutine_of(node)):
                yield frame, f"its turn in queue '{name}'"
        for worker in chain(get(queue, "crew_", "all_"), "next_of_all"):
            running = get(worker, "running")
            if running and get(worker, "secured") and (frame := awaiter_of(running)):
                yield frame, f"the task that worker {number(get(worker, 'number'))} of queue '{name}' is running"
        for waiter in nodes(get(queue, "room_", "line_", "waiting_")):
            if frame := coroutine_in(pointee(most_derived(waiter))):
                yield frame, f"room in queue '{name}'"
    for pool in all_of("PoolCore"):
        for waiter in nodes(get(pool, "line_", "waiting_")):
            whole = most_derived(waiter)
            frame = coroutine_in(pointee(whole))
            if frame:
                yield frame, f"an instance of the pool at {hex(int(pool))}"
    heaps = [get(loop, "timers_") for loop in all_of("LoopCore")]
    heaps += [get(service, "heap_") for service in all_of("TimerService")]
    for timer in (timer for heap in heaps for timer in timers_in(heap)):
        if frame := coroutine_of(timer):
            yield frame, f"a timer{until(get(timer, 'deadline'))}"
    for loop in all_of("LoopCore"):
        for node in nodes(get(loop, "nodes_")):
            if frame := coroutine_of(node):
                yield frame, f"its turn on the event loop at {hex(int(loop))}"


def until(deadline):
    return f", due in {(number(deadline) - time.monotonic_ns()) / 1e9:.3f} s" if knows_time() else ""


def timers_in(heap):
    pointers = [leaf for leaf in leaves(get(heap, "nodes_")) if strip(leaf.type).code == gdb.TYPE_CODE_PTR]
    first, last = pointers[0], pointers[1]
    for place in range(int(last - first)):
        yield (first + place).dereference()


# --- Queues.


def is_task(node):
    """A node in a queue is a task, rather than a coroutine on its way."""
    return "task_mark" in (symbol_at(scalar(get(node, "run"))) or "")


def queued_tasks(queue):
    """(task, "queued") for each task that is more than a closure."""
    order = get(queue, "order_")
    for node in nodes(get(order, "nodes_")):
        if is_task(node):
            yield downcast(node, library_type("QueuedTask")), "queued"
    lists = get(order, "levels_", "levels_")
    low, high = lists.type.range()
    for place in range(high, low - 1, -1):
        for node in nodes(lists[place]):
            yield downcast(node, library_type("QueuedTask")), "queued by priority"
    for lane in nodes(get(order, "lanes_")):
        for node in nodes(get(downcast(lane, library_type("Lane")), "waiting")):
            yield downcast(node, library_type("QueuedTask")), "waits for a turn in its view"


def closures(queue):
    """The types of the callables of the closures in a queue, the next one first."""
    line = get(queue, "order_", "closures_")
    place, end, chunk = number(get(line, "begin_")), number(get(line, "end_")), get(line, "first_")
    size = None
    while place != end and chunk:
        items = get(chunk, "closures")
        size = items.type.range()[1] + 1
        yield short(text(get(items[place % size], "kind", "what")))
        place += 1
        if place % size == 0:
            chunk = get(chunk, "next")


def thread_of(worker):
    """GDB's thread, or None."""
    handle = number(get(worker, "thread"))
    if not handle:
        return None
    for thread in gdb.selected_inferior().threads():
        try:
            if int.from_bytes(thread.handle()[:8], "little") == handle:
                return thread
        except gdb.error:
            continue
    return None


# Frames that are not the program's own.
LIBRARY = re.compile(r"^(\w+ )?(toto::|std::|__)")
PLACES = re.compile(r"/include/toto/|/c\+\+/|/libc[.-]|/libpthread|/libc\+\+")


def user_frame(thread):
    """Where the thread is in the program's own code: the outermost and the innermost such function."""
    selected = gdb.selected_thread()
    try:
        thread.switch()
        frame, found, inlined = gdb.newest_frame(), [], ""
        while frame is not None:
            name = frame.name()
            symtab = frame.find_sal().symtab
            if name and symtab and not LIBRARY.search(name) and not PLACES.search(symtab.fullname()) \
                    and not PLACES.search(gdb.solib_name(frame.pc()) or ""):
                found.append(f"{name} at {symtab.filename.rsplit('/', 1)[-1]}:{frame.find_sal().line}")
            elif name and (bound := re.search(r"\bbind_inline<(.*?)>\(", short(name))):
                inlined = bound[1]  # the optimiser has kept no frame of it
            frame = frame.older()
        if not found:
            return f": {inlined}" if inlined else ""
        return f": {found[-1]}" if len(found) == 1 else f": {found[-1]}, now in {found[0]}"
    finally:
        if selected is not None:
            selected.switch()


def show_worker(worker):
    thread = thread_of(worker)
    line = f"  worker {number(get(worker, 'number'))}"
    if thread is not None:
        line += f" (thread {thread.num}, LWP {thread.ptid[1]})"
    if get(worker, "idle"):
        print(line + " idle" + age(get(worker, "idle_since")))
        return
    running = get(worker, "running")
    print(line + " busy" + (user_frame(thread) if thread is not None else ""))
    if running:
        print(f"    runs {task_name(running)}")


def show_queues():
    queues = all_of("QueueCore")
    for queue in queues:
        crew, order, ledger = get(queue, "crew_"), get(queue, "order_"), get(queue, "ledger_")
        waiting = list(nodes(get(queue, "room_", "line_", "waiting_")))
        print(
            f"queue '{text(get(queue, 'name_'))}': "
            f"{number(get(crew, 'live_'))} of {number(get(queue, 'options_', 'thread_count'))} thread(s), "
            f"{number(get(crew, 'busy_'))} busy; {number(get(order, 'tasks_'))} queued, "
            f"{number(get(ledger, 'open_coroutines_'))} coroutine task(s) not ended"
            + (f"; {len(waiting)} wait(s) for room" if waiting else "")
            + ("; closed" if scalar(get(ledger, "closed_")) else "")
        )
        for worker in chain(get(crew, "all_"), "next_of_all"):
            if get(worker, "secured"):
                show_worker(worker)
        for callable_type in closures(queue):
            print(f"  queued: {callable_type}")
        for task, where in queued_tasks(queue):
            frame = awaiter_of(task)
            print(
                f"  {where}: {task_name(task)}"
                + (f", awaited by {coroutine_name(frame)}" if frame else "")
            )
        for task in nodes(get(queue, "task_list_", "tasks_")):
            doing = get(task, "doing").string()
            if doing != "queued":
                print(f"  task {text(get(task, 'what'))} {doing}{age(get(task, 'since'))}")
    if not queues:
        print("no queue")


# --- Pools and loops.


def claim_text(claim):
    """ "lease taken at main.cpp:12 by thread 1" """
    line = get(claim, "how").string()
    where = get(claim, "where")
    if number(get(where, "line")):
        line += f" at {get(where, 'file').string().rsplit('/', 1)[-1]}:{number(get(where, 'line'))}"
    if number(get(claim, "thread")):
        line += f" by thread {number(get(claim, 'thread'))}"
    if number(get(claim, "worker")):
        line += f", worker {number(get(claim, 'worker'))}"
    queue = get(claim, "queue").string()
    return line + (f" of queue '{queue}'" if queue else "") + age(get(claim, "since"))


def show_pools():
    pools = all_of("PoolCore")
    for pool in pools:
        held = list(nodes(get(pool, "held_")))
        waiting = list(nodes(get(pool, "line_", "waiting_")))
        free = len(list(nodes(get(pool, "free_"))))
        closed = ", closed" if get(pool, "closed_") else ""
        print(f"pool at {hex(int(pool))}: {free} free, {len(held)} leased, {len(waiting)} waiting{closed}")
        for permit in held:
            print(f"  held: {claim_text(get(permit, 'holder'))}")
        for waiter in waiting:
            frame = coroutine_in(pointee(most_derived(waiter)))
            name = coroutine_name(of_user(frame))
            print(f"  waits: {claim_text(get(waiter, 'request', 'claim'))}" + (f": {name}" if name else ""))
    if not pools:
        print("no pool")


def show_loops():
    loops = all_of("LoopCore")
    for loop in loops:
        started = list(nodes(get(loop, "roots_", "roots_")))
        posted = len(list(nodes(get(loop, "nodes_"))))
        timers = len(list(timers_in(get(loop, "timers_"))))
        runs = "running" if get(loop, "runner_") else "not running"
        what = f"{len(started)} coroutine(s), {posted} posted, {timers} timer(s)"
        print(f"event loop at {hex(int(loop))}: {runs}; {what}")
        for each in started:
            print(f"  started {coroutine_name(coroutine_in(pointee(most_derived(each)), 0)) or 'a coroutine'}")
    if not loops:
        print("no event loop")


def show_coroutines():
    seen = set()
    for found, what in suspended():
        frame = of_user(found)
        if frame in seen:
            continue
        seen.add(frame)
        names = [coroutine_name(each) for each in awaiters(frame)]
        if not names:
            continue
        print(f"coroutine {names[0]} waits for {what}")
        for name in names[1:]:
            print(f"  awaited by {name}")
    if not seen:
        print("no suspended coroutine was found")


def show_all():
    show_queues()
    show_pools()
    show_loops()
    show_coroutines()


class Command(gdb.Command):
    def __init__(self, name, what, prefix=False):
        self.__doc__ = what
        super().__init__(name, gdb.COMMAND_STATUS, prefix=prefix)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError("toto takes no argument but queues, pools, loops or coroutines")
        global everything_found
        everything_found = None
        if not gdb.selected_inferior().threads():
            raise gdb.GdbError("there is no process and no core file")
        show = {"toto": show_all, "toto queues": show_queues, "toto pools": show_pools, "toto loops": show_loops,
                "toto coroutines": show_coroutines}[self.name]
        show()


def add_commands():
    for name, what in {
        "toto": "Show what the queues, pools, event loops and coroutines of toto are doing.",
        "toto queues": "Show queues: workers, and what is running, queued or suspended.",
        "toto pools": "Show pools: who holds an instance, and who waits for one.",
        "toto loops": "Show event loops: their coroutines and timers.",
        "toto coroutines": "Show suspended coroutines, and what they wait for.",
    }.items():
        command = Command(name, what, prefix=name == "toto")
        command.name = name


add_commands()
