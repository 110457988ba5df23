// The share of a thread in the work on a part: the whole part, unless a team works on it.
#pragma once

#include "engine.h"
#include "vec.h"

namespace ostinato::OSTINATO_SET {

struct Range {
    Index begin, end;
};

// Returns the share of this member in `count` items, which is only cut between groups of `group` items.
inline Range share(const Team& team, Index count, Index group = 1) {
    const Index groups = (count + group - 1) / group;
    return {smaller(count, groups * team.rank / team.size * group),
            smaller(count, groups * (team.rank + 1) / team.size * group)};
}

// Returns those of the team that share the steps: all of them, or rank 0 alone.
inline Team steppers_of(const Team& team) { return team.together ? team : Team{team.rank, 1, false, nullptr}; }

inline void meet(const Team& team) {
    if (team.size > 1) ostinato::meet(*team.meeting, team.size);
}

}  // namespace ostinato::OSTINATO_SET
