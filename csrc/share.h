// What a thread takes of a part: all of it, or its share where a team works on it.
#pragma once

#include "engine.h"
#include "vec.h"

namespace ostinato::OSTINATO_SET {
namespace {

struct Range {
    Index begin, end;
};

// This member's share of `count` things, cut between groups of `group`.
inline Range share(const Team& team, Index count, Index group = 1) {
    const Index groups = (count + group - 1) / group;
    return {smaller(count, groups * team.rank / team.size * group),
            smaller(count, groups * (team.rank + 1) / team.size * group)};
}

inline void meet(const Team& team) {
    if (team.size > 1) ostinato::meet(*team.meeting, team.size);
}

}  // namespace
}  // namespace ostinato::OSTINATO_SET
