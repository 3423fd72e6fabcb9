//! The overlay as its nodes see it.

use std::collections::{BTreeMap, BTreeSet};

/// The active views of the nodes that live.
#[derive(Clone, Debug, Default)]
pub(super) struct Topology {
    /// By node: its neighbours.
    views: BTreeMap<usize, BTreeSet<usize>>,
}

impl Topology {
    /// From the view of each live node.
    pub(super) fn new(views: impl IntoIterator<Item = (usize, BTreeSet<usize>)>) -> Self {
        Self { views: views.into_iter().collect() }
    }

    /// Parts that no link connects.
    pub(super) fn components(&self) -> usize {
        let mut left: BTreeSet<usize> = self.views.keys().copied().collect();
        let mut components = 0;
        while let Some(start) = left.pop_first() {
            components += 1;
            let mut border = vec![start];
            while let Some(node) = border.pop() {
                let reached: Vec<usize> = left
                    .iter()
                    .copied()
                    .filter(|other| self.sees(node, *other) || self.sees(*other, node))
                    .collect();
                for other in reached {
                    left.remove(&other);
                    border.push(other);
                }
            }
        }
        components
    }

    /// Links between live nodes that only one end knows of.
    pub(super) fn asymmetric_links(&self) -> usize {
        let links = self.views.iter().flat_map(|(node, view)| view.iter().map(move |other| (*node, *other)));
        links.filter(|(node, other)| self.views.contains_key(other) && !self.sees(*other, *node)).count()
    }

    /// Neighbours that do not live.
    pub(super) fn dead_links(&self) -> usize {
        self.views.values().flatten().filter(|other| !self.views.contains_key(other)).count()
    }

    /// The smallest and the largest view.
    pub(super) fn view_sizes(&self) -> (usize, usize) {
        let sizes = || self.views.values().map(BTreeSet::len);
        (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0))
    }

    /// The size of the view of `node`.
    pub(super) fn view_size(&self, node: usize) -> usize {
        self.views.get(&node).map_or(0, BTreeSet::len)
    }

    /// One network, which all its nodes see alike, with nobody in it who does not live.
    pub(super) fn is_whole(&self) -> bool {
        self.components() == 1
            && self.asymmetric_links() == 0
            && self.dead_links() == 0
            && self.view_sizes().0 > 0
    }

    fn sees(&self, node: usize, other: usize) -> bool {
        self.views.get(&node).is_some_and(|view| view.contains(&other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(views: &[(usize, &[usize])]) -> Topology {
        Topology::new(views.iter().map(|(node, view)| (*node, view.iter().copied().collect())))
    }

    #[test]
    fn parts_and_one_sided_links_are_found() {
        let ring = topology(&[(0, &[1, 2]), (1, &[0, 2]), (2, &[0, 1])]);
        assert!(ring.is_whole());
        assert_eq!(ring.view_sizes(), (2, 2));
        let parts = topology(&[(0, &[1]), (1, &[0]), (2, &[3]), (3, &[2]), (4, &[])]);
        assert_eq!((parts.components(), parts.view_sizes()), (3, (0, 1)));
        let one_sided = topology(&[(0, &[1]), (1, &[0, 2]), (2, &[])]);
        assert_eq!((one_sided.asymmetric_links(), one_sided.components()), (1, 1));
        assert!(!one_sided.is_whole());
    }

    #[test]
    fn a_neighbour_that_was_killed_keeps_the_network_from_being_whole() {
        let healing = topology(&[(0, &[1, 7]), (1, &[0])]);
        assert_eq!((healing.dead_links(), healing.asymmetric_links()), (1, 0));
        assert!(!healing.is_whole());
    }
}
