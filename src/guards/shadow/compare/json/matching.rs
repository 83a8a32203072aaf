//! The largest set of pairs of elements that agree, each element in one pair at most.

use std::collections::VecDeque;

/// Pairs of the elements of two lists, by their places.
#[derive(Debug)]
pub(super) struct Pairs {
    /// For each element on the left its partner, and the other way round.
    right_of: Vec<Option<usize>>,
    left_of: Vec<Option<usize>>,
}

impl Pairs {
    pub(super) fn none(left: usize, right: usize) -> Self {
        Self {
            right_of: vec![None; left],
            left_of: vec![None; right],
        }
    }

    pub(super) fn join(&mut self, left: usize, right: usize) {
        if let (Some(partner), Some(other)) =
            (self.right_of.get_mut(left), self.left_of.get_mut(right))
        {
            (*partner, *other) = (Some(right), Some(left));
        }
    }

    pub(super) fn are_free(&self, left: usize, right: usize) -> bool {
        self.right_of.get(left) == Some(&None) && self.left_of.get(right) == Some(&None)
    }

    /// The elements on the left without a partner, in order.
    pub(super) fn free_left(&self) -> Vec<usize> {
        free(&self.right_of)
    }

    /// The elements on the right without a partner, in order.
    pub(super) fn free_right(&self) -> Vec<usize> {
        free(&self.left_of)
    }

    /// Adds pairs until no larger set of pairs exists.
    ///
    /// For each free element on the left, it looks for the shortest path that alternates between
    /// elements that agree and partners, and ends at a free element on the right; along the path
    /// everybody changes partners (C. Berge, Two theorems in graph theory, 1957). A greedy choice
    /// is not enough: with a tolerance of 1, [1, 0] and [0, 2] agree, but not place by place.
    pub(super) fn complete<E>(
        &mut self,
        mut agree: impl FnMut(usize, usize) -> Result<bool, E>,
    ) -> Result<(), E> {
        for start in self.free_left() {
            let mut came_from = vec![None; self.left_of.len()];
            let mut queue = VecDeque::from([start]);
            'search: while let Some(left) = queue.pop_front() {
                for right in 0..self.left_of.len() {
                    let is_new = came_from.get(right).is_some_and(Option::is_none);
                    if !is_new || !agree(left, right)? {
                        continue;
                    }
                    if let Some(origin) = came_from.get_mut(right) {
                        *origin = Some(left);
                    }
                    if let Some(owner) = self.left_of.get(right).copied().flatten() {
                        queue.push_back(owner);
                    } else {
                        self.change_partners(&came_from, right);
                        break 'search;
                    }
                }
            }
        }
        Ok(())
    }

    fn change_partners(&mut self, came_from: &[Option<usize>], last: usize) {
        let mut next = Some(last);
        while let Some(right) = next {
            let Some(left) = came_from.get(right).copied().flatten() else {
                return;
            };
            next = self.right_of.get(left).copied().flatten();
            self.join(left, right);
        }
    }
}

fn free(partners: &[Option<usize>]) -> Vec<usize> {
    let with_places = (0..).zip(partners);
    with_places
        .filter_map(|(at, partner)| partner.is_none().then_some(at))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn complete(left: usize, right: usize, edges: &[Vec<bool>]) -> Pairs {
        let mut pairs = Pairs::none(left, right);
        // A greedy start, as the caller makes it.
        for (at, row) in edges.iter().enumerate().take(left) {
            if row.get(at) == Some(&true) {
                pairs.join(at, at);
            }
        }
        let agree = |left: usize, right: usize| Ok::<_, Infallible>(edges[left][right]);
        pairs.complete(agree).unwrap();
        pairs
    }

    /// The size of the largest set of pairs, by trying everything.
    fn largest(left: usize, taken: &mut Vec<bool>, edges: &[Vec<bool>]) -> usize {
        let Some(row) = edges.get(left) else { return 0 };
        let mut best = largest(left + 1, taken, edges);
        for right in 0..row.len() {
            if row[right] && !taken[right] {
                taken[right] = true;
                best = best.max(1 + largest(left + 1, taken, edges));
                taken[right] = false;
            }
        }
        best
    }

    #[test]
    fn partners_change_where_that_makes_one_more_pair() {
        // 0 agrees with both, 1 only with 0: place by place there is one pair.
        let pairs = complete(2, 2, &[vec![true, true], vec![true, false]]);
        assert!(pairs.free_left().is_empty() && pairs.free_right().is_empty());
    }

    proptest! {
        #[test]
        fn no_larger_set_of_pairs_exists(
            (left, right, edges) in (0_usize..6, 0_usize..6).prop_flat_map(|(left, right)| {
                let row = prop::collection::vec(prop::bool::weighted(0.35), right);
                (Just(left), Just(right), prop::collection::vec(row, left))
            })
        ) {
            let pairs = complete(left, right, &edges);
            let found = left - pairs.free_left().len();
            prop_assert_eq!(found, right - pairs.free_right().len());
            for (at, partner) in pairs.right_of.iter().enumerate() {
                if let Some(partner) = partner {
                    prop_assert!(edges[at][*partner]);
                    prop_assert_eq!(pairs.left_of[*partner], Some(at));
                }
            }
            prop_assert_eq!(found, largest(0, &mut vec![false; right], &edges));
        }
    }
}
