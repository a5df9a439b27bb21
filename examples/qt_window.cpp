// SPDX-License-Identifier: MIT
//
// Coroutines on Qt's event loop, with widgets that end while their coroutines wait. Without a display:
// QT_QPA_PLATFORM=offscreen.

#include <QApplication>
#include <QEventLoop>
#include <QLabel>
#include <QString>
#include <functional>
#include <memory>
#include <string>
#include <toto/qt.hpp>

#include "toolkit.hpp"

namespace {

class Qt6 {
 public:
  using Widget = QLabel;

  toto::QtExecutor& executor() { return executor_; }
  void run() { loop_.exec(); }  // in a program with one loop: QApplication::exec()
  void quit() { loop_.quit(); }

 private:
  QEventLoop loop_;
  toto::QtExecutor executor_;
};

/// Shows what it has loaded, and closes.
class Splash : public QLabel {
 public:
  Splash(QWidget* parent, Qt6& qt, toto::TaskQueue& queue) : QLabel(parent), queue_(queue), tasks_(qt.executor()) {
    setAttribute(Qt::WA_DeleteOnClose);
    connect(this, &QObject::destroyed, [&qt] { qt.quit(); });
  }
  void load(Work& work) { tasks_.spawn(fill(work)); }

 private:
  toto::Task<> fill(Work& work) {
    const std::string text = co_await queue_.yield_task(&Work::load, std::ref(work));
    setText(QString::fromStdString(text));
    close();  // Qt deletes it later, from the event loop: not in its own coroutine
  }

  toto::TaskQueue& queue_;
  toto::TaskScope tasks_;  // last: it ends first
};

void widgets_that_qt_deletes() {
  Qt6 qt;
  toto::TaskQueue queue(1);
  {
    Work work;
    work.end();
    auto* const splash = new Splash(nullptr, qt, queue);
    splash->show();
    splash->load(work);
    qt.run();
    expect(true, "a widget closes in its own coroutine, and Qt deletes it later");
  }
  Work work;
  auto parent = std::make_unique<QWidget>();
  (new Splash(parent.get(), qt, queue))->load(work);
  parent->show();
  toto::TaskScope callbacks(qt.executor());
  callbacks.spawn([](Work& begun, std::unique_ptr<QWidget>& owner) -> toto::Task<> {
    begun.wait_until_begun();
    owner.reset();
    co_return;
  }(work, parent));
  qt.run();
  work.end();
  queue.wait_idle();
  expect(parent == nullptr, "a parent deletes its child while that one's task runs");
}

}  // namespace

int main(int argc, char** argv) {
  const QApplication application(argc, argv);  // first: it ends last
  run_every_order<Qt6>();
  widgets_that_qt_deletes();
}
