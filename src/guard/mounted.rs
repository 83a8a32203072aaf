//! How a pipeline holds a guard: its name, its document type, and whether it acts.

use crate::name::DocumentType;

/// A mounted guard: a guard with the settings under which a pipeline holds it.
///
/// [`Guard::only_for`](crate::Guard::only_for), [`Guard::named`](crate::Guard::named) and
/// [`Guard::dry_run`](crate::Guard::dry_run) return it, and
/// [`Builder::guard`](crate::pipeline::Builder::guard) takes it.
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
    /// Without settings: under the guard's own name, for all documents, acting.
    pub(crate) fn new(guard: G) -> Self {
        Self {
            guard,
            name: None,
            only_for: None,
            dry_run: false,
        }
    }

    /// For documents of one type only: the pipeline asks the guard about no others and tells it
    /// nothing about them, and the guard's events name the type. Called twice, the last type
    /// counts.
    pub fn only_for(mut self, document_type: DocumentType) -> Self {
        self.only_for = Some(document_type);
        self
    }

    /// Under another name, in events, errors and stored state, so that a pipeline can hold two
    /// guards of a kind. Called twice, the last name counts.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In a dry run: the guard evaluates every call and reports what it would have done, but it
    /// reroutes no document, refuses no line-up and writes on no ticket, and its pages become
    /// warnings. A token budget in a dry run therefore learns nothing from reported usage.
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
