// The process's memory: how little of it is kept that nothing uses.
#pragma once

namespace live_update {

// Before any thread is started. One heap for all threads: what one of them frees, another
// one can use; both allocate little at a time, so that they hardly ever wait for each other.
void share_one_heap();

// Gives back to the kernel what was used in passing. Takes milliseconds where there is much: call it when
// nothing is going on. Any thread.
void give_back_memory();

// Tells when to give back memory: the first quiet period after a busy one. Pure: time is an argument.
class BusyThenQuiet {
 public:
  // `cpu_seconds`: what the process has used since its start; ask in regular intervals. True once, when after
  // some work the last interval had next to none.
  bool ask(double cpu_seconds);

 private:
  double before_ = 0;
  double spent_ = 0;  // since it was last said
};

// Of this process, all threads.
double cpu_seconds();

}  // namespace live_update
