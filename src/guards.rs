//! The guards: state machines without I/O, one file or folder each.
