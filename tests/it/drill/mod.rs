//! P8: every failure mode has a signal, an alert, and a drill that proves that it fires.

mod faults;
