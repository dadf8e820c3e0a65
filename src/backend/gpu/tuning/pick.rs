//! The contest of candidates for one product.

use std::time::{Duration, Instant};

use crate::backend::gpu::tile::Tile;
use crate::error::Result;

/// Rounds at most. Candidates take turns, so that what slows the machine down slows all of them.
const ROUNDS: usize = 7;

/// Rounds below which nothing is decided.
const FEWEST_ROUNDS: usize = 3;

/// A win over the default is below this share of its time.
const WIN: f64 = 0.97;

/// After [`FEWEST_ROUNDS`], who takes so many times as long as the best is out.
const HOPELESS: f64 = 1.25;

/// What candidates are put through.
pub trait Trial {
    /// Whether its results are right. A tile that the driver refuses is an error.
    ///
    /// # Errors
    /// When it cannot be run.
    fn is_right(&mut self, tile: Tile) -> Result<bool>;

    /// Seconds that the product takes with it.
    ///
    /// # Errors
    /// When it cannot be run.
    fn seconds(&mut self, tile: Tile) -> Result<f64>;
}

struct Entrant {
    tile: Tile,
    seconds: Vec<f64>,
}

impl Entrant {
    fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::INFINITY)
    }
}

/// The fastest of the tiles whose results are right, by more than 3 % where it is not the default;
/// the default when time is up before that is known.
pub fn pick(default: Tile, candidates: &[Tile], trial: &mut dyn Trial, time: Duration) -> Tile {
    let begun = Instant::now();
    let mut entrants: Vec<Entrant> = Vec::new();
    let others = candidates.iter().copied().filter(|tile| *tile != default);
    for tile in std::iter::once(default).chain(others) {
        // Half of the time is for the rounds.
        if begun.elapsed() < time / 2 && trial.is_right(tile).unwrap_or(false) {
            entrants.push(Entrant { tile, seconds: Vec::new() });
        }
    }
    for round in 0..ROUNDS {
        let mut place = 0;
        while place < entrants.len() {
            if begun.elapsed() >= time {
                break;
            }
            match trial.seconds(entrants[place].tile) {
                Ok(seconds) => entrants[place].seconds.push(seconds),
                Err(_) => {
                    entrants.remove(place);
                    continue;
                }
            }
            place += 1;
        }
        if begun.elapsed() >= time {
            break;
        }
        if round + 1 == FEWEST_ROUNDS {
            let best = entrants.iter().map(Entrant::median).fold(f64::INFINITY, f64::min);
            entrants
                .retain(|entrant| entrant.tile == default || entrant.median() <= HOPELESS * best);
        }
    }
    entrants.retain(|entrant| entrant.seconds.len() >= FEWEST_ROUNDS);
    let best = entrants.iter().min_by(|a, b| a.median().total_cmp(&b.median()));
    let of_default = entrants.iter().find(|entrant| entrant.tile == default);
    match (best, of_default) {
        (Some(best), Some(of_default)) if best.median() < WIN * of_default.median() => best.tile,
        (Some(best), None) => best.tile,
        _ => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// Tiles of known speed.
    struct Known {
        milliseconds: Vec<(Tile, f64)>,
        wrong: Vec<Tile>,
        refused: Vec<Tile>,
        runs: usize,
    }

    impl Trial for Known {
        fn is_right(&mut self, tile: Tile) -> Result<bool> {
            if self.refused.contains(&tile) {
                return Err(Error::internal("refused"));
            }
            Ok(!self.wrong.contains(&tile))
        }

        fn seconds(&mut self, tile: Tile) -> Result<f64> {
            self.runs += 1;
            let found = self.milliseconds.iter().find(|(known, _)| *known == tile);
            // A machine that is slower now and then.
            let slow = if self.runs.is_multiple_of(5) { 1.3 } else { 1.0 };
            Ok(found.map_or(f64::INFINITY, |(_, time)| time * slow * 1e-3))
        }
    }

    const TILES: [Tile; 4] = [
        Tile::direct(8, 4, 16, 0),
        Tile::direct(16, 4, 8, 8),
        Tile::shared([32, 32, 8], [4, 4]),
        Tile::shared([64, 64, 16], [8, 8]),
    ];

    fn known(milliseconds: [f64; 4]) -> Known {
        Known {
            milliseconds: TILES.into_iter().zip(milliseconds).collect(),
            wrong: Vec::new(),
            refused: Vec::new(),
            runs: 0,
        }
    }

    const TIME: Duration = Duration::from_secs(60);

    #[test]
    fn the_fastest_wins_by_more_than_three_percent() {
        assert_eq!(pick(TILES[0], &TILES, &mut known([2.0, 1.9, 1.8, 3.0]), TIME), TILES[2]);
        assert_eq!(pick(TILES[0], &TILES, &mut known([2.0, 2.1, 1.96, 3.0]), TIME), TILES[0]);
        assert_eq!(pick(TILES[2], &TILES, &mut known([2.0, 2.1, 1.0, 3.0]), TIME), TILES[2]);
    }

    #[test]
    fn a_wrong_or_refused_candidate_never_wins() {
        let mut trial = known([2.0, 0.1, 0.2, 1.5]);
        trial.wrong = vec![TILES[1]];
        trial.refused = vec![TILES[2]];
        assert_eq!(pick(TILES[0], &TILES, &mut trial, TIME), TILES[3]);
        trial.wrong = TILES[1..].to_vec();
        assert_eq!(pick(TILES[0], &TILES, &mut trial, TIME), TILES[0]);
    }

    #[test]
    fn a_wrong_default_gives_way() {
        let mut trial = known([0.1, 3.0, 2.0, 2.5]);
        trial.wrong = vec![TILES[0]];
        assert_eq!(pick(TILES[0], &TILES, &mut trial, TIME), TILES[2]);
    }

    #[test]
    fn out_of_time_is_the_default() {
        let mut trial = known([2.0, 1.0, 1.0, 1.0]);
        assert_eq!(pick(TILES[0], &TILES, &mut trial, Duration::ZERO), TILES[0]);
        assert_eq!(trial.runs, 0);
    }
}
