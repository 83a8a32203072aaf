//! P6: a shadow run counts how often a candidate disagrees, and changes nothing.

mod comparisons;
