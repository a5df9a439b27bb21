// SPDX-License-Identifier: MIT
//
// The library as a module: "import toto;" instead of <toto/tasks.hpp>, <toto/task_scope.hpp> and <toto/trace.hpp>.
// Exports every public name of these. Macros are not exported. Optional headers that need another library are included
// as before, after standard headers and before the import. Compile this file with the program:
// docs/how-to/vendoring-and-cmake.md.

module;
#include "task_scope.hpp"
#include "tasks.hpp"
#include "trace.hpp"

export module toto;

export namespace toto {

// Queues and tasks.
using toto::BasicTaskQueue;
using toto::TaskQueue;
using toto::QueueOptions;
using toto::QueueStats;
using toto::QueueTimes;
using toto::NamedQueues;
using toto::QueueView;
using toto::Overflow;
using toto::Pending;
using toto::TaskOptions;
using toto::TaskInfo;
using toto::TaskHandle;
using toto::Admission;
using toto::BasicTimer;
using toto::Timer;
using toto::Duration;
using toto::len;
using toto::not_a_temporary;

// Coroutines, and where they continue.
using toto::Task;
using toto::BasicEventLoop;
using toto::EventLoop;
using toto::spawn;
using toto::BasicTaskScope;
using toto::TaskScope;
using toto::sync_wait;
using toto::sleep_for;
using toto::resume_on;
using toto::BasicExecutorRef;
using toto::ExecutorRef;
using toto::BasicExecutorScope;
using toto::ExecutorScope;
using toto::BasicResumption;
using toto::Resumption;
using toto::UserExecutor;
using toto::current_executor;
using toto::StopToken;
using toto::StopSource;
using toto::StdRuntime;

// Several at once.
using toto::when_all;
using toto::when_all_settled;
using toto::Settled;
using toto::when_all_or_cancel;
using toto::when_any;
using toto::WhenAnyResult;
using toto::BasicTaskGroup;
using toto::TaskGroup;
using toto::with_task_group;

// Objects and pools.
using toto::AwaitableInstance;
using toto::QueueChoice;
using toto::InstancePool;
using toto::PoolOptions;
using toto::PoolStats;
using toto::PooledCalls;
using toto::Lease;
using toto::CallSite;

// Observers and traces.
using toto::QueueObserver;
using toto::TaskEvent;
using toto::TaskEnd;
using toto::TraceWriter;
using toto::TraceOptions;

// Errors.
using toto::Error;
using toto::QueueClosed;
using toto::QueueFull;
using toto::TaskCancelled;
using toto::TimedOut;
using toto::PoolClosed;
using toto::InstanceGone;
using toto::NoState;
using toto::DeadlockError;

}  // namespace toto
