// SPDX-License-Identifier: MIT
//
// Coroutines on Qt's event loop, with widgets that end while their coroutines wait. Without a display:
// QT_QPA_PLATFORM=offscreen.

#include <QApplication>
#include <QEventLoop>
#include <QLabel>
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

}  // namespace

int main(int argc, char** argv) {
  const QApplication application(argc, argv);  // first: it ends last
  run_every_order<Qt6>();
}
