//! Context windows of models that need no declaration.

/// Exact model names and the most tokens that a call can read, from the providers' model pages as collected in the model
/// table of the Python package litellm 1.109.1 (MIT licence). For models whose largest input is smaller than their
/// window, the smaller number stands here.
const WINDOWS: [(&str, u64); 12] = [
    ("gpt-3.5-turbo", 16_385),
    ("gpt-4", 8_192),
    ("gpt-4.1", 1_047_576),
    ("gpt-4.1-mini", 1_047_576),
    ("gpt-4.1-nano", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-4o-mini", 128_000),
    ("gpt-5", 272_000),
    ("gpt-5-mini", 272_000),
    ("gpt-5.1", 272_000),
    ("o3", 200_000),
    ("o4-mini", 200_000),
];

/// The context window of a well-known model; only exact names are known, because a guess by prefix is silently wrong.
pub(crate) fn context_window(model: &str) -> Option<u64> {
    WINDOWS
        .iter()
        .find(|(name, _)| *name == model)
        .map(|(_, window)| *window)
}
