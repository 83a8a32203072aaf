//! How a pipeline holds a guard: under which name, for which documents, and whether it acts.

use crate::name::DocumentType;

/// A guard with the settings under which a pipeline holds it; made by [`Guard::only_for`](crate::Guard::only_for),
/// [`Guard::named`](crate::Guard::named) and [`Guard::dry_run`](crate::Guard::dry_run), and given to
/// [`Builder::guard`](crate::pipeline::Builder::guard).
///
/// ```
/// use fusebox::{DocumentType, ErrorRateBreaker, Guard, LineUp, Pipeline, Version};
///
/// let contracts = ErrorRateBreaker::default().only_for(DocumentType::new("contract")?).named("contracts");
/// let pipeline = Pipeline::builder(LineUp::new(Version::new("v7", "gpt-4o")?))
///     .guard(ErrorRateBreaker::default())
///     .guard(contracts)
///     .build()?;
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mounted<G> {
    pub(crate) guard: G,
    pub(crate) name: Option<String>,
    pub(crate) only_for: Option<DocumentType>,
    pub(crate) dry_run: bool,
}

impl<G> Mounted<G> {
    /// As the guard is: under its own name, for all documents, acting.
    pub(crate) fn new(guard: G) -> Self {
        Self {
            guard,
            name: None,
            only_for: None,
            dry_run: false,
        }
    }

    /// For documents of one type only: the guard is not asked about others, learns nothing of them, and its events name the
    /// type. Given twice, the last type counts.
    pub fn only_for(mut self, document_type: DocumentType) -> Self {
        self.only_for = Some(document_type);
        self
    }

    /// Under another name, in events, errors and stored state alike, so that a pipeline can hold two of a kind. Given twice,
    /// the last name counts.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Without acting: it evaluates every call and reports what it would have done, but no document goes another way, no
    /// line-up is refused, no ticket is marked, and its pages are warnings. A token budget in a dry run therefore learns
    /// nothing from reported usage.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    pub(crate) fn map<H>(self, map: impl FnOnce(G) -> H) -> Mounted<H> {
        Mounted {
            guard: map(self.guard),
            name: self.name,
            only_for: self.only_for,
            dry_run: self.dry_run,
        }
    }
}
