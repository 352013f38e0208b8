//! The order in which related entities can be deleted when dependents are not taken along.

use std::collections::{HashMap, VecDeque};

/// Places of entities in rounds: an entity comes in a later round than all that relate to it.
/// `entities` are identifiers and the identifiers each relates to; relations out of the set and to
/// itself do not matter. What is left of a cycle comes last, in one round.
pub(super) fn rounds(entities: &[(&str, Vec<String>)]) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, (identifier, _)) in entities.iter().enumerate() {
        places.entry(identifier).or_default().push(place);
    }
    let targets: Vec<Vec<usize>> = entities
        .iter()
        .enumerate()
        .map(|(place, (_, relations))| {
            let found = relations.iter().filter_map(|target| places.get(&**target));
            found
                .flatten()
                .copied()
                .filter(|target| *target != place)
                .collect()
        })
        .collect();
    let mut dependents = vec![0; entities.len()];
    for target in targets.iter().flatten() {
        dependents[*target] += 1;
    }

    let mut rounds = Vec::new();
    let mut is_done = vec![false; entities.len()];
    let mut free: VecDeque<usize> = (0..entities.len())
        .filter(|place| dependents[*place] == 0)
        .collect();
    while !free.is_empty() {
        let round: Vec<usize> = free.drain(..).collect();
        for place in &round {
            is_done[*place] = true;
            for target in &targets[*place] {
                dependents[*target] -= 1;
                if dependents[*target] == 0 {
                    free.push_back(*target);
                }
            }
        }
        rounds.push(round);
    }
    let cycle: Vec<usize> = (0..entities.len())
        .filter(|place| !is_done[*place])
        .collect();
    if !cycle.is_empty() {
        rounds.push(cycle);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entities: &[(&str, &[&str])], expected: &[&[usize]]) {
        let entities: Vec<_> = entities
            .iter()
            .map(|(id, targets)| (*id, targets.iter().map(|t| (*t).to_owned()).collect()))
            .collect();
        assert_eq!(rounds(&entities), expected, "{entities:?}");
    }

    #[test]
    fn dependents_come_first() {
        check(&[], &[]);
        check(&[("a", &[]), ("b", &[])], &[&[0, 1]]);
        check(
            &[("p", &[]), ("i", &["p"]), ("j", &["p", "i"])],
            &[&[2], &[1], &[0]],
        );
        check(&[("a", &["a", "gone"])], &[&[0]]);
        check(&[("a", &["p", "p"]), ("p", &[])], &[&[0], &[1]]);
        check(
            &[("x", &["a"]), ("a", &["b"]), ("b", &["a"])],
            &[&[0], &[1, 2]],
        );
    }
}
