//! The order in which nodes can run.

use std::collections::BTreeSet;

/// The nodes `0..before.len()` in an order in which each comes after those in its `before`, and otherwise as they are; `None` if
/// some wait for each other.
pub(super) fn order(before: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut after = vec![Vec::new(); before.len()];
    let mut waiting: Vec<usize> = vec![0; before.len()];
    for (node, before) in before.iter().enumerate() {
        for &earlier in before {
            after.get_mut(earlier)?.push(node);
        }
        waiting[node] = before.len();
    }
    let mut ready: BTreeSet<usize> = (0..before.len()).filter(|&node| waiting[node] == 0).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for &later in &after[node] {
            waiting[later] -= 1;
            if waiting[later] == 0 {
                ready.insert(later);
            }
        }
    }
    (order.len() == before.len()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first_and_the_rest_keeps_its_order() {
        assert_eq!(order(&[vec![2], vec![], vec![], vec![0, 0]]), Some(vec![1, 2, 0, 3]));
        assert_eq!(order(&[vec![1], vec![0]]), None);
        assert_eq!(order(&[]), Some(vec![]));
    }
}
