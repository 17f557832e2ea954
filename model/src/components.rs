//! Strongly connected components, after Tarjan, without recursion. It knows numbers only.

/// The strongly connected components of the part of a graph of `size` places that is reached from
/// `starts` along `edges`. A place alone counts only if it has an edge to itself.
pub(crate) fn components(
    size: usize,
    starts: impl Iterator<Item = usize>,
    edges: impl Fn(usize) -> Vec<usize>,
) -> Vec<Vec<usize>> {
    let mut search = Search {
        order: vec![None; size],
        low: vec![0; size],
        on_stack: vec![false; size],
        stack: Vec::new(),
        found: Vec::new(),
        met: 0,
    };
    for start in starts {
        if search.order[start].is_none() {
            search.run(start, &edges);
        }
    }
    let is_cycle =
        |component: &Vec<usize>| component.len() > 1 || edges(component[0]).contains(&component[0]);
    search.found.retain(is_cycle);
    search.found
}

struct Search {
    /// When a place was met first.
    order: Vec<Option<usize>>,
    /// The earliest place on the stack that it leads back to.
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    found: Vec<Vec<usize>>,
    met: usize,
}

impl Search {
    fn run(&mut self, start: usize, edges: &impl Fn(usize) -> Vec<usize>) {
        // The places on the way from the start, each with the edges not yet followed.
        let mut way = vec![(start, self.meet(start, edges))];
        while let Some((place, rest)) = way.last_mut() {
            let place = *place;
            let Some(to) = rest.pop() else {
                way.pop();
                if let Some((before, _)) = way.last() {
                    self.low[*before] = self.low[*before].min(self.low[place]);
                }
                self.close(place);
                continue;
            };
            match self.order[to] {
                None => way.push((to, self.meet(to, edges))),
                Some(order) if self.on_stack[to] => {
                    self.low[place] = self.low[place].min(order);
                }
                Some(_) => {}
            }
        }
    }

    fn meet(&mut self, place: usize, edges: &impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
        self.order[place] = Some(self.met);
        self.low[place] = self.met;
        self.met += 1;
        self.stack.push(place);
        self.on_stack[place] = true;
        edges(place)
    }

    /// Takes the component of `place` off the stack, if `place` was the first of it.
    fn close(&mut self, place: usize) {
        if Some(self.low[place]) != self.order[place] {
            return;
        }
        let first = self.stack.iter().rposition(|other| *other == place);
        let component = self.stack.split_off(first.unwrap_or_default());
        for member in &component {
            self.on_stack[*member] = false;
        }
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn cycles_are_found_and_single_places_only_with_a_loop() {
        // 0 -> 1 -> 2 -> 1, 2 -> 3, 3 -> 3, 4 alone.
        let edges = [vec![1], vec![2], vec![1, 3], vec![3], vec![]];
        let mut found = components(5, 0..5, |place| edges[place].clone());
        for component in &mut found {
            component.sort_unstable();
        }
        found.sort();
        assert_eq!(found, [vec![1, 2], vec![3]]);
    }
}
