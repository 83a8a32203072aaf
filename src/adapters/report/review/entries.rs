//! The divergences in the order in which people review them: by type and field.

use std::collections::BTreeMap;

use serde::Serialize;

use super::item::{ReviewItem, kind};
use crate::call::{Difference, DifferenceKind};
use crate::name::{DocumentId, DocumentType, Field};
use crate::shadow::IgnoreRule;

/// The number of divergences on a page: more than anybody marks.
const MOST: usize = 2_000;
/// The name of what differs as a whole.
const WHOLE: &str = "(whole document)";

/// The divergences of a page, by type and then by field, those with the most first.
pub(super) struct PageEntries<'a> {
    pub(super) types: Vec<OfType<'a>>,
    /// The number on the page.
    pub(super) shown: usize,
    /// The number that is not on the page.
    pub(super) left_out: usize,
}

pub(super) struct OfType<'a> {
    pub(super) document_type: &'a DocumentType,
    pub(super) fields: Vec<OfField<'a>>,
    pub(super) count: usize,
}

pub(super) struct OfField<'a> {
    /// `None` for documents that diverge as a whole.
    pub(super) field: Option<Field>,
    pub(super) entries: Vec<Entry<'a>>,
}

/// What a reviewer marks: a difference, or a document that diverges as a whole.
pub(super) struct Entry<'a> {
    /// From 1 in the order of the page.
    pub(super) number: usize,
    pub(super) item: &'a ReviewItem,
    pub(super) difference: Option<&'a Difference>,
    pub(super) kind: String,
    /// The document's differences that do not count, with the first of its entries.
    pub(super) unmarked: Vec<&'a Difference>,
}

/// What the page's script has to know of an entry, in the order of the page.
#[derive(Serialize)]
pub(super) struct Subject<'a> {
    document: &'a DocumentId,
    document_type: &'a DocumentType,
    field: Option<&'a Field>,
    kind: Option<DifferenceKind>,
}

impl<'a> PageEntries<'a> {
    pub(super) fn of(items: &'a [ReviewItem]) -> Self {
        let mut types: BTreeMap<&DocumentType, BTreeMap<Option<Field>, Vec<Entry<'_>>>> =
            BTreeMap::new();
        let (mut shown, mut left_out) = (0, 0);
        for item in items {
            let fields = types.entry(&item.document_type).or_default();
            for (place, difference) in item.marked().into_iter().enumerate() {
                if shown == MOST {
                    left_out += 1;
                    continue;
                }
                shown += 1;
                let field = difference.map(|of| IgnoreRule::field_of_all_elements(&of.field));
                fields.entry(field).or_default().push(Entry {
                    number: 0,
                    item,
                    difference,
                    kind: kind(&item.end, difference),
                    unmarked: if place == 0 {
                        item.unmarked()
                    } else {
                        Vec::new()
                    },
                });
            }
        }
        let mut types: Vec<_> = types
            .into_iter()
            .map(|(document_type, fields)| OfType::new(document_type, fields))
            .filter(|of_type| of_type.count > 0)
            .collect();
        types.sort_by_key(|of_type| std::cmp::Reverse(of_type.count));
        let entries = types.iter_mut().flat_map(|of_type| &mut of_type.fields);
        let entries = entries.flat_map(|of_field| &mut of_field.entries);
        for (number, entry) in (1..).zip(entries) {
            entry.number = number;
        }
        Self {
            types,
            shown,
            left_out,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<'a>> {
        let fields = self.types.iter().flat_map(|of_type| &of_type.fields);
        fields.flat_map(|of_field| &of_field.entries)
    }

    pub(super) fn subjects(&self) -> Vec<Subject<'a>> {
        let subjects = self.iter().map(|entry| Subject {
            document: &entry.item.document,
            document_type: &entry.item.document_type,
            field: entry.difference.map(|difference| &difference.field),
            kind: entry.difference.map(|difference| difference.kind),
        });
        subjects.collect()
    }
}

impl OfField<'_> {
    /// The name under which the page shows the field.
    pub(super) fn name(&self) -> &str {
        let field = self.field.as_ref();
        field.map_or(WHOLE, |field| field.as_str())
    }
}

impl<'a> OfType<'a> {
    fn new(
        document_type: &'a DocumentType,
        fields: BTreeMap<Option<Field>, Vec<Entry<'a>>>,
    ) -> Self {
        let mut fields: Vec<_> = fields
            .into_iter()
            .map(|(field, entries)| OfField { field, entries })
            .collect();
        // Stable: equally many stay by name.
        fields.sort_by_key(|of_field| std::cmp::Reverse(of_field.entries.len()));
        Self {
            document_type,
            count: fields.iter().map(|of_field| of_field.entries.len()).sum(),
            fields,
        }
    }
}
