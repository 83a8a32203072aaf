//! The token that effects ask for.

use std::marker::PhantomData;

/// Shows that what is about to happen comes from a call that production made, and not from a shadow
/// run.
///
/// Let every function of yours that acts on an answer, such as one that stores, books or sends, take
/// a `&LiveEffects`. Then no code of a candidate can call it: a candidate gets a
/// [`ShadowCall`](crate::pipeline::ShadowCall), which has none. The token comes from a
/// [`Permit`](crate::Permit), and from an answer that was accepted. It cannot be made, cloned or
/// stored.
///
/// ```
/// use fusebox::pipeline::LiveEffects;
/// use fusebox::{Call, LineUp, Pipeline, Report, RouteLedger, Version};
///
/// fn book(total: &str, _: &LiveEffects<'_>) {
///     println!("booked {total}");
/// }
///
/// let v7 = Version::new("v7", "gpt-4o")?;
/// let pipeline = Pipeline::builder(LineUp::new(v7)).guard(RouteLedger::default()).build()?;
/// if let Some(permit) = pipeline.admit(&Call::new("inv-1", "invoice")?).permit() {
///     let settlement = permit.answer(Report::new());
///     if let Some(effects) = settlement.live_effects() {
///         book("12.50", &effects);
///     }
/// }
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// # What the compiler rejects
/// Making one:
/// ```compile_fail,E0423
/// let effects = fusebox::pipeline::LiveEffects(std::marker::PhantomData);
/// ```
/// Copying one:
/// ```compile_fail,E0599
/// fn keep(effects: fusebox::pipeline::LiveEffects<'_>) {
///     let copy = effects.clone();
/// }
/// ```
/// Getting one from a candidate's call:
/// ```compile_fail,E0599
/// fn candidate(call: &fusebox::pipeline::ShadowCall) {
///     let effects = call.live_effects();
/// }
/// ```
/// Keeping one longer than what it comes from:
/// ```compile_fail,E0597
/// # use fusebox::{Call, LineUp, Pipeline, Version};
/// # let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?)).build()?;
/// let effects = {
///     let permit = pipeline.admit(&Call::new("inv-1", "invoice")?).permit().ok_or("diverted")?;
///     permit.live_effects()
/// };
/// println!("{effects:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it cannot do
/// Rust has no effect system: code that reaches a database by another way needs no token. It
/// prevents accidents, not intent.
#[derive(Debug)]
#[must_use = "it allows an effect, and does nothing by itself"]
pub struct LiveEffects<'a>(PhantomData<&'a ()>);

impl LiveEffects<'_> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}
