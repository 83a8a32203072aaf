//! P2: the confidence of each field is watched, and a fall sends more answers to people.

mod shift;
