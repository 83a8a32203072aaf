//! P7: every document ends somewhere known.

mod ends;
