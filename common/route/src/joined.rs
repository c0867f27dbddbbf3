//! Servers that are one because they have an address in common.

/// For each set of addresses, the address that stands for it: the same for all that have one in common, directly or
/// through others. None for a set without addresses.
pub fn joined<T: Ord + Clone>(sets: &[Vec<T>]) -> Vec<Option<T>> {
    let mut chosen: Vec<Option<T>> = sets.iter().map(|set| set.iter().min().cloned()).collect();
    loop {
        let mut has_changed = false;
        for (index, set) in sets.iter().enumerate() {
            let sharing = sets.iter().zip(&chosen).filter(|(other, _)| other.iter().any(|one| set.contains(one)));
            let least = sharing.filter_map(|(_, chosen)| chosen.clone()).min();
            if least.is_some() && least < chosen[index] {
                chosen[index] = least;
                has_changed = true;
            }
        }
        if !has_changed {
            return chosen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_with_a_common_address_are_one() {
        let sets = [vec![4, 7], vec![9], vec![7, 2], vec![5, 4], vec![]];
        assert_eq!(joined(&sets), [Some(2), Some(9), Some(2), Some(2), None]);
    }
}
