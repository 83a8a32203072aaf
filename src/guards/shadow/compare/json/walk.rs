//! The walk through two JSON values side by side, which finds where they differ.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Map, Value};

use super::canonical::canonical;
use super::matching::Pairs;
use super::pointer::Segment;
use super::rules::Scope;
use crate::call::DifferenceKind;

/// The deepest value that is compared; `serde_json` reads no text that is nested deeper.
pub(super) const LEVELS: usize = 128;
/// The number of steps in search of partners within a tolerance, which grow with the product of the
/// lengths of two arrays.
const MATCHING_STEPS: u32 = 500_000;
/// The same in search of similar elements among those without a partner.
const SIMILARITY_STEPS: u32 = 100_000;

/// Where two values differ, in the middle of a walk.
#[derive(Debug)]
pub(super) struct Found<'w, 'a> {
    pub(super) path: &'w [Segment<'a>],
    pub(super) scope: &'w Scope<'a>,
    pub(super) kind: DifferenceKind,
    pub(super) production: Option<&'a Value>,
    pub(super) candidate: Option<&'a Value>,
}

/// Why a walk ends before it has seen everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Whoever wants the differences has enough of them.
    Enough,
    /// Both values are nested too deeply.
    TooDeep,
    /// Unordered arrays are too large to find which elements belong together.
    TooLarge,
    /// The two elements in question do not agree; never leaves the walk.
    Differs,
}

/// Who is told of the differences.
pub(super) trait Sink<'a> {
    fn found(&mut self, found: Found<'_, 'a>) -> Result<(), Stop>;
}

/// Tells the sink of all differences of two values, in the order of their paths.
///
/// Members of objects come in the order of their keys, elements of arrays in that of their indexes.
/// Of an unordered array, the elements of production come first and those that only the candidate
/// has after them, with the candidate's indexes.
pub(super) fn walk<'a>(
    production: &'a Value,
    candidate: &'a Value,
    scope: &Scope<'a>,
    sink: &mut impl Sink<'a>,
) -> Result<(), Stop> {
    let mut walk = Walk {
        path: Vec::new(),
        probing: 0,
        is_counting: false,
        steps: MATCHING_STEPS,
        similarity_steps: SIMILARITY_STEPS,
        sink,
    };
    walk.values(production, candidate, scope)
}

/// Whether two values agree in everything.
pub(super) fn agree(production: &Value, candidate: &Value, scope: &Scope<'_>) -> bool {
    struct Nothing;
    impl Sink<'_> for Nothing {
        fn found(&mut self, _: Found<'_, '_>) -> Result<(), Stop> {
            Err(Stop::Enough)
        }
    }
    // The sink lives as long as the values and the rules; a borrow of all three does.
    walk(production, candidate, scope, &mut Nothing).is_ok()
}

struct Walk<'s, 'a, S> {
    path: Vec<Segment<'a>>,
    /// How many searches for a partner are open; inside one, the first difference ends it.
    probing: u32,
    /// Whether steps are counted at the moment, and how many are left of each kind.
    is_counting: bool,
    steps: u32,
    similarity_steps: u32,
    sink: &'s mut S,
}

impl<'a, S: Sink<'a>> Walk<'_, 'a, S> {
    fn values(
        &mut self,
        production: &'a Value,
        candidate: &'a Value,
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        if scope.is_ignored() {
            return Ok(());
        }
        if self.is_counting {
            self.spend()?;
        }
        match (production, candidate) {
            (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_))
                if self.path.len() >= LEVELS =>
            {
                Err(Stop::TooDeep)
            }
            (Value::Object(production), Value::Object(candidate)) => {
                if production.keys().is_sorted() && candidate.keys().is_sorted() {
                    self.members(production.iter(), candidate.iter(), scope)
                } else {
                    let (production, candidate) = (sorted(production), sorted(candidate));
                    self.members(production.into_iter(), candidate.into_iter(), scope)
                }
            }
            (Value::Array(production), Value::Array(candidate)) if scope.is_unordered() => {
                self.multisets(production, candidate, scope)
            }
            (Value::Array(production), Value::Array(candidate)) => {
                self.lists(production, candidate, scope)
            }
            _ => match scope.difference(production, candidate) {
                Some(kind) => self.differ(kind, Some(production), Some(candidate), scope),
                None => Ok(()),
            },
        }
    }

    /// Objects, whose members come sorted by key.
    fn members(
        &mut self,
        production: impl Iterator<Item = (&'a String, &'a Value)>,
        candidate: impl Iterator<Item = (&'a String, &'a Value)>,
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        let (mut production, mut candidate) = (production.peekable(), candidate.peekable());
        loop {
            let order = match (production.peek(), candidate.peek()) {
                (Some((one, _)), Some((other, _))) => one.cmp(other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Ok(()),
            };
            let of_production = production.next_if(|_| order.is_le());
            let of_candidate = candidate.next_if(|_| order.is_ge());
            let Some((key, _)) = of_production.or(of_candidate) else {
                return Ok(());
            };
            let (one, other) = (of_production.map(|m| m.1), of_candidate.map(|m| m.1));
            self.child(Segment::Key(key), one, other, || scope.key(key))?;
        }
    }

    /// Arrays, element by element in their order.
    fn lists(
        &mut self,
        production: &'a [Value],
        candidate: &'a [Value],
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        let each = (!scope.names_elements()).then(|| scope.any_element());
        for index in 0..production.len().max(candidate.len()) {
            let (one, other) = (production.get(index), candidate.get(index));
            let segment = Segment::Index(index);
            match &each {
                Some(each) => self.child_in(segment, one, other, each)?,
                None => self.child(segment, one, other, || scope.step(segment))?,
            }
        }
        Ok(())
    }

    /// Arrays in which only counts how often an element occurs.
    fn multisets(
        &mut self,
        production: &'a [Value],
        candidate: &'a [Value],
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        let each = scope.any_element();
        if each.is_ignored() {
            return Ok(());
        }
        if self.probing > 0 && production.len() != candidate.len() {
            return Err(Stop::Differs);
        }
        let mut pairs = self.equals(production, candidate, &each)?;
        let (missing, added) = (pairs.free_left(), pairs.free_right());
        if missing.is_empty() && added.is_empty() {
            return Ok(());
        }
        if self.probing > 0 {
            return Err(Stop::Differs);
        }
        let mut changed = BTreeMap::new();
        for (left, right) in self.similar(production, candidate, &missing, &added, &each)? {
            pairs.join(left, right);
            changed.insert(left, right);
        }
        for index in missing {
            let partner = changed.get(&index).and_then(|right| candidate.get(*right));
            self.child_in(Segment::Index(index), production.get(index), partner, &each)?;
        }
        for index in pairs.free_right() {
            self.child_in(Segment::Index(index), None, candidate.get(index), &each)?;
        }
        Ok(())
    }

    /// As many pairs of elements that agree as there can be: first those at the same place.
    fn equals(
        &mut self,
        production: &'a [Value],
        candidate: &'a [Value],
        each: &Scope<'a>,
    ) -> Result<Pairs, Stop> {
        let mut pairs = Pairs::none(production.len(), candidate.len());
        for (index, (one, other)) in (0..).zip(production.iter().zip(candidate)) {
            if self.agree(index, one, other, each)? {
                pairs.join(index, index);
            }
        }
        if each.has_tolerance() {
            let mut known = HashMap::new();
            pairs.complete(|left, right| {
                self.spend()?;
                if let Some(agree) = known.get(&(left, right)) {
                    return Ok(*agree);
                }
                let was_counting = std::mem::replace(&mut self.is_counting, true);
                let agree = match (production.get(left), candidate.get(right)) {
                    (Some(one), Some(other)) => self.agree(left, one, other, each)?,
                    _ => false,
                };
                self.is_counting = was_counting;
                known.insert((left, right), agree);
                Ok(agree)
            })?;
            return Ok(pairs);
        }
        let levels = LEVELS.saturating_sub(self.path.len());
        // An element that is nested too deeply has no text, and no equal at another place.
        let text = |element| canonical(element, each, levels);
        let mut places: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
        for (index, element) in of(candidate, pairs.free_right()) {
            if let Some(text) = text(element) {
                places.entry(text).or_default().push_back(index);
            }
        }
        for (left, element) in of(production, pairs.free_left()) {
            let right = text(element).and_then(|text| places.get_mut(&text)?.pop_front());
            if let Some(right) = right {
                pairs.join(left, right);
            }
        }
        Ok(pairs)
    }

    /// Pairs of elements that agree in at least half of their own members, the most similar first;
    /// none if finding them takes too many steps.
    fn similar(
        &mut self,
        production: &'a [Value],
        candidate: &'a [Value],
        missing: &[usize],
        added: &[usize],
        each: &Scope<'a>,
    ) -> Result<Vec<(usize, usize)>, Stop> {
        let mut similar = Vec::new();
        std::mem::swap(&mut self.steps, &mut self.similarity_steps);
        let was_counting = std::mem::replace(&mut self.is_counting, true);
        'search: for (left, one) in of(production, missing.to_vec()) {
            for (right, other) in of(candidate, added.to_vec()) {
                match self.alike(left, one, other, each) {
                    Ok((same, different)) if same > 0 && different <= same => {
                        similar.push((different, Reverse(same), left, right));
                    }
                    Ok(_) => {}
                    Err(Stop::TooLarge) => {
                        similar.clear();
                        break 'search;
                    }
                    Err(stop) => return Err(stop),
                }
            }
        }
        self.is_counting = was_counting;
        std::mem::swap(&mut self.steps, &mut self.similarity_steps);
        similar.sort_unstable();
        let mut pairs = Pairs::none(production.len(), candidate.len());
        let mut chosen = Vec::new();
        for (_, _, left, right) in similar {
            if pairs.are_free(left, right) {
                pairs.join(left, right);
                chosen.push((left, right));
            }
        }
        Ok(chosen)
    }

    /// How many members of two objects, or elements of two arrays, agree, and how many do not.
    fn alike(
        &mut self,
        index: usize,
        production: &'a Value,
        candidate: &'a Value,
        scope: &Scope<'a>,
    ) -> Result<(usize, usize), Stop> {
        let (mut same, mut different) = (0, 0);
        self.spend()?;
        match (production, candidate) {
            (Value::Object(production), Value::Object(candidate)) => {
                let added = candidate
                    .keys()
                    .filter(|key| !production.contains_key(*key));
                for key in production.keys().chain(added) {
                    self.spend()?;
                    let scope = scope.key(key);
                    let agree = match (production.get(key), candidate.get(key)) {
                        _ if scope.is_ignored() => continue,
                        (Some(one), Some(other)) => self.agree(index, one, other, &scope)?,
                        _ => false,
                    };
                    same += usize::from(agree);
                    different += usize::from(!agree);
                }
            }
            (Value::Array(production), Value::Array(candidate)) => {
                same = if scope.is_unordered() {
                    let pairs = self.equals(production, candidate, &scope.any_element())?;
                    production.len() - pairs.free_left().len()
                } else {
                    let mut same = 0;
                    for (place, (one, other)) in (0..).zip(production.iter().zip(candidate)) {
                        let scope = scope.step(Segment::Index(place));
                        same += usize::from(self.agree(index, one, other, &scope)?);
                    }
                    same
                };
                different = production.len().max(candidate.len()) - same;
            }
            _ => {}
        }
        Ok((same, different))
    }

    /// Whether two values agree in everything, without telling the sink.
    fn agree(
        &mut self,
        index: usize,
        production: &'a Value,
        candidate: &'a Value,
        scope: &Scope<'a>,
    ) -> Result<bool, Stop> {
        let depth = self.path.len();
        self.path.push(Segment::Index(index));
        self.probing += 1;
        let walked = self.values(production, candidate, scope);
        self.probing -= 1;
        self.path.truncate(depth);
        match walked {
            Ok(()) => Ok(true),
            Err(Stop::Differs) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    /// One place in both values, whose scope is found out only if it matters.
    fn child(
        &mut self,
        segment: Segment<'a>,
        production: Option<&'a Value>,
        candidate: Option<&'a Value>,
        scope: impl FnOnce() -> Scope<'a>,
    ) -> Result<(), Stop> {
        if is_same_leaf(production, candidate) {
            return Ok(());
        }
        self.child_in(segment, production, candidate, &scope())
    }

    fn child_in(
        &mut self,
        segment: Segment<'a>,
        production: Option<&'a Value>,
        candidate: Option<&'a Value>,
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        if is_same_leaf(production, candidate) || scope.is_ignored() {
            return Ok(());
        }
        self.path.push(segment);
        match (production, candidate) {
            (Some(one), Some(other)) => self.values(one, other, scope)?,
            (Some(_), None) => self.differ(DifferenceKind::Missing, production, None, scope)?,
            (None, _) => self.differ(DifferenceKind::Added, None, candidate, scope)?,
        }
        self.path.pop();
        Ok(())
    }

    fn differ(
        &mut self,
        kind: DifferenceKind,
        production: Option<&'a Value>,
        candidate: Option<&'a Value>,
        scope: &Scope<'a>,
    ) -> Result<(), Stop> {
        if self.probing > 0 {
            return Err(Stop::Differs);
        }
        self.sink.found(Found {
            path: &self.path,
            scope,
            kind,
            production,
            candidate,
        })
    }

    fn spend(&mut self) -> Result<(), Stop> {
        self.steps = self.steps.checked_sub(1).ok_or(Stop::TooLarge)?;
        Ok(())
    }
}

/// Whether both are the same text, number, boolean or null, so that no rule can tell them apart.
fn is_same_leaf(production: Option<&Value>, candidate: Option<&Value>) -> bool {
    match (production, candidate) {
        (Some(Value::String(one)), Some(Value::String(other))) => one == other,
        (Some(Value::Number(one)), Some(Value::Number(other))) => one == other,
        (Some(Value::Bool(one)), Some(Value::Bool(other))) => one == other,
        (Some(Value::Null), Some(Value::Null)) => true,
        _ => false,
    }
}

// Maps are sorted already, unless somebody in the same build asks `serde_json` to keep their order.
fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    members
}

fn of(elements: &[Value], places: Vec<usize>) -> impl Iterator<Item = (usize, &Value)> {
    let with_elements = move |at| elements.get(at).map(|element| (at, element));
    places.into_iter().filter_map(with_elements)
}
