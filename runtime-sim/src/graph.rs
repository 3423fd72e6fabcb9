//! The overlay as a graph: components, one-sided links, degrees and path lengths.

use std::collections::VecDeque;

/// Who counts whom as a neighbour, among the live nodes.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Neighbours of each node, sorted; empty for dead ones.
    links: Vec<Vec<u32>>,
    alive: Vec<bool>,
}

/// Hops between nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Paths {
    /// Mean over the pairs that were looked at.
    pub mean: f64,
    /// The longest seen.
    pub max: u32,
}

impl Graph {
    /// A graph of `neighbours`, each entry a node's own view; dead nodes have none and count in nothing.
    #[must_use]
    pub fn new(mut neighbours: Vec<Vec<u32>>, alive: Vec<bool>) -> Self {
        for links in &mut neighbours {
            links.sort_unstable();
        }
        Self { links: neighbours, alive }
    }

    /// How many nodes live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.alive.iter().filter(|alive| **alive).count()
    }

    /// Sizes of the components, largest first. Only links that both ends know join two nodes.
    #[must_use]
    pub fn components(&self) -> Vec<usize> {
        let mut seen = vec![false; self.links.len()];
        let mut sizes = Vec::new();
        for start in self.live_nodes() {
            let size = self.spread(start, &mut seen, &mut |_| {});
            if size > 0 {
                sizes.push(size);
            }
        }
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        sizes
    }

    /// Directed links that the other end does not know, to dead nodes included.
    #[must_use]
    pub fn asymmetric(&self) -> usize {
        self.live_nodes()
            .map(|node| self.of(node).iter().filter(|peer| !self.has(**peer, node)).count())
            .sum()
    }

    /// Fewest and most neighbours of a live node.
    #[must_use]
    pub fn degrees(&self) -> (usize, usize) {
        let degrees = self.live_nodes().map(|node| self.of(node).len());
        degrees
            .fold(None, |range: Option<(usize, usize)>, degree| {
                Some(range.map_or((degree, degree), |(min, max)| (min.min(degree), max.max(degree))))
            })
            .unwrap_or_default()
    }

    /// Mean number of neighbours of a live node.
    #[must_use]
    pub fn mean_degree(&self) -> f64 {
        let total: usize = self.live_nodes().map(|node| self.of(node).len()).sum();
        ratio(total, self.live())
    }

    /// Path lengths from each of `starts` to all that it reaches.
    #[must_use]
    pub fn paths(&self, starts: &[u32]) -> Paths {
        let (mut total, mut count, mut max) = (0usize, 0usize, 0u32);
        for start in starts {
            let mut seen = vec![false; self.links.len()];
            self.spread(*start, &mut seen, &mut |distance| {
                total += distance as usize;
                count += usize::from(distance > 0);
                max = max.max(distance);
            });
        }
        Paths { mean: ratio(total, count), max }
    }

    /// Visits all that `start` reaches, nearest first; tells each distance, and how many there were.
    fn spread(&self, start: u32, seen: &mut [bool], visit: &mut impl FnMut(u32)) -> usize {
        let mut reached = 0;
        let mut waiting = VecDeque::from([(start, 0u32)]);
        while let Some((node, distance)) = waiting.pop_front() {
            match seen.get_mut(node as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            reached += 1;
            visit(distance);
            let linked = self.of(node).iter().filter(|peer| self.has(**peer, node));
            waiting.extend(linked.map(|peer| (*peer, distance + 1)));
        }
        reached
    }

    fn live_nodes(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.alive).filter_map(|(node, alive)| alive.then_some(node))
    }

    fn of(&self, node: u32) -> &[u32] {
        self.links.get(node as usize).map_or(&[], Vec::as_slice)
    }

    fn has(&self, node: u32, peer: u32) -> bool {
        self.of(node).binary_search(&peer).is_ok()
    }
}

/// `part` of `whole`; 0 when there is no whole.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 - 1 - 2 - 3 and 4 - 5, node 6 dead, 5 counts 6 as a neighbour, 3 counts 0.
    fn graph() -> Graph {
        let links = vec![vec![1], vec![2, 0], vec![1, 3], vec![2, 0], vec![5], vec![4, 6], vec![]];
        Graph::new(links, vec![true, true, true, true, true, true, false])
    }

    #[test]
    fn components_are_joined_by_links_that_both_ends_know() {
        assert_eq!(graph().components(), [4, 2]);
        assert_eq!(graph().live(), 6);
        let one_sided = Graph::new(vec![vec![1], vec![]], vec![true, true]);
        assert_eq!(one_sided.components(), [1, 1]);
    }

    #[test]
    fn one_sided_links_are_counted_once_each() {
        assert_eq!(graph().asymmetric(), 2);
    }

    #[test]
    fn degrees_are_those_of_live_nodes() {
        assert_eq!(graph().degrees(), (1, 2));
        assert_eq!(Graph::default().degrees(), (0, 0));
    }

    #[test]
    fn paths_are_the_shortest() {
        let paths = graph().paths(&[0]);
        assert_eq!(paths.max, 3);
        assert!((paths.mean - 2.0).abs() < 1e-9);
        assert_eq!(Graph::default().paths(&[]), Paths::default());
    }
}
