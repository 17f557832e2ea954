------------------------------ MODULE Lockspace ------------------------------
(***************************************************************************)
(* The protocol of a lockspace, for readers who trust this language. It    *)
(* was written by hand beside the executable specification (spec/src), and *)
(* is held to it by counting: both have the same distinct states and the   *)
(* same transitions in every configuration beside this file.               *)
(*                                                                         *)
(* As there, time is only "this timer elapsed", an action upon something   *)
(* that has ended changes nothing, and whatever ends a hold hands over in  *)
(* the same step. What is told to whom is left out; S4 is left to the      *)
(* specification with it.                                                  *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Requests,   \* some positive numbers
          Names,      \* some numbers
          Grants,     \* how many grants there may be: what makes the states finite
          MostNames,  \* the most names in use at once
          MostWaiters \* the most waiters of one name

VARIABLES phase,       \* "open", "draining", "closed"
          next,        \* the token of the next grant
          hold,        \* of each name: who holds it, with which token, and whether a lease limits it
          queue,       \* of each name: who waits, first come first
          waitTimers,  \* the requests whose wait timer is armed
          leaseTimers, \* the tokens whose lease timer is armed
          graceTimer   \* whether the grace timer is armed

vars == <<phase, next, hold, queue, waitTimers, leaseTimers, graceTimer>>

Waits == {"no", "bounded", "unbounded"}

Hold(r, token, leased) == [request |-> r, token |-> token, leased |-> leased]
Nobody == Hold(0, 0, FALSE)
Waiter(r, timed, leased) == [request |-> r, timed |-> timed, leased |-> leased]

Held(n) == hold[n].token # 0
HeldNames == {n \in Names : Held(n)}
Holding(r) == \E n \in Names : hold[n].request = r
Places(n) == 1..Len(queue[n])
WaitingFor(r, n) == \E p \in Places(n) : queue[n][p].request = r
Waiting(r) == \E n \in Names : WaitingFor(r, n)
Waiters == {r \in Requests : Waiting(r)}
Idle(r) == ~Holding(r) /\ ~Waiting(r)

Init ==
    /\ phase = "open"
    /\ next = 1
    /\ hold = [n \in Names |-> Nobody]
    /\ queue = [n \in Names |-> <<>>]
    /\ waitTimers = {}
    /\ leaseTimers = {}
    /\ graceTimer = FALSE

(***************************************************************************)
(* Moves                                                                   *)
(***************************************************************************)

LeaseTimer(token, leased) == IF leased THEN {token} ELSE {}

Without(n, r) == SelectSeq(queue[n], LAMBDA waiter : waiter.request # r)

\* The hold of n ends, and its first waiter holds n.
HandOver(n) ==
    /\ queue[n] # <<>>
    /\ hold' = [hold EXCEPT ![n] = Hold(Head(queue[n]).request, next, Head(queue[n]).leased)]
    /\ next' = next + 1
    /\ queue' = [queue EXCEPT ![n] = Tail(queue[n])]
    /\ waitTimers' = waitTimers \ {Head(queue[n]).request}
    /\ leaseTimers' = (leaseTimers \ {hold[n].token}) \cup LeaseTimer(next, Head(queue[n]).leased)
    /\ UNCHANGED <<phase, graceTimer>>

\* The hold of n ends, and n is free.
Free(n) ==
    /\ queue[n] = <<>>
    /\ ~(phase = "draining" /\ HeldNames = {n})
    /\ hold' = [hold EXCEPT ![n] = Nobody]
    /\ leaseTimers' = leaseTimers \ {hold[n].token}
    /\ UNCHANGED <<phase, next, queue, waitTimers, graceTimer>>

\* The last hold of a drain ends, and the lockspace is closed.
Drained(n) ==
    /\ queue[n] = <<>>
    /\ phase = "draining"
    /\ HeldNames = {n}
    /\ hold' = [hold EXCEPT ![n] = Nobody]
    /\ leaseTimers' = leaseTimers \ {hold[n].token}
    /\ phase' = "closed"
    /\ graceTimer' = FALSE
    /\ UNCHANGED <<next, queue, waitTimers>>

EndHold(n) == HandOver(n) \/ Free(n) \/ Drained(n)

LeaveQueue(r, n) ==
    /\ queue' = [queue EXCEPT ![n] = Without(n, r)]
    /\ waitTimers' = waitTimers \ {r}
    /\ UNCHANGED <<phase, next, hold, leaseTimers, graceTimer>>

\* Every waiter is refused and every hold revoked.
Close ==
    /\ phase' = "closed"
    /\ hold' = [n \in Names |-> Nobody]
    /\ queue' = [n \in Names |-> <<>>]
    /\ waitTimers' = {}
    /\ leaseTimers' = {}
    /\ graceTimer' = FALSE
    /\ UNCHANGED next

\* Every waiter is refused, and holders may finish.
Drain ==
    /\ phase' = "draining"
    /\ queue' = [n \in Names |-> <<>>]
    /\ waitTimers' = {}
    /\ graceTimer' = TRUE
    /\ UNCHANGED <<next, hold, leaseTimers>>

Nothing == UNCHANGED vars

(***************************************************************************)
(* Actions. Each can be taken in every state, and leads to one.            *)
(***************************************************************************)

\* Nobody acquires once as many grants have been made or are waited for as there may be.
MayAcquire == next + Cardinality(Waiters) <= Grants

Grant(r, n, leased) ==
    /\ hold' = [hold EXCEPT ![n] = Hold(r, next, leased)]
    /\ next' = next + 1
    /\ leaseTimers' = leaseTimers \cup LeaseTimer(next, leased)
    /\ UNCHANGED <<phase, queue, waitTimers, graceTimer>>

Queue(r, n, timed, leased) ==
    /\ queue' = [queue EXCEPT ![n] = Append(queue[n], Waiter(r, timed, leased))]
    /\ waitTimers' = IF timed THEN waitTimers \cup {r} ELSE waitTimers
    /\ UNCHANGED <<phase, next, hold, leaseTimers, graceTimer>>

New(r) == Idle(r) /\ phase = "open"
Room(n) == Held(n) \/ Cardinality(HeldNames) < MostNames
Granted(r, n) == New(r) /\ ~Held(n) /\ Room(n)
Queued(r, n, wait) == New(r) /\ Held(n) /\ wait # "no" /\ Len(queue[n]) < MostWaiters

Acquire(r, n, wait, leased) ==
    /\ MayAcquire
    /\ \/ Granted(r, n) /\ Grant(r, n, leased)
       \/ Queued(r, n, wait) /\ Queue(r, n, wait = "bounded", leased)
       \/ ~Granted(r, n) /\ ~Queued(r, n, wait) /\ Nothing

Cancel(r) ==
    \/ \E n \in Names : WaitingFor(r, n) /\ LeaveQueue(r, n)
    \/ \E n \in Names : hold[n].request = r /\ EndHold(n)
    \/ Idle(r) /\ Nothing

HoldsWith(r, n, token) == hold[n].request = r /\ Held(n) /\ hold[n].token = token

Release(r, token) ==
    \/ \E n \in Names : HoldsWith(r, n, token) /\ EndHold(n)
    \/ ~(\E n \in Names : HoldsWith(r, n, token)) /\ Nothing

\* That a lease starts again does not show.
Renew(r, token) == token \in 0..next /\ r \in Requests /\ Nothing

ForceRelease(n) ==
    \/ Held(n) /\ EndHold(n)
    \/ ~Held(n) /\ Nothing

Shutdown(grace) ==
    \/ phase = "open" /\ (HeldNames = {} \/ grace = "no") /\ Close
    \/ phase = "open" /\ HeldNames # {} /\ grace = "bounded" /\ Drain
    \/ phase = "draining" /\ grace = "no" /\ Close
    \/ phase = "draining" /\ grace = "bounded" /\ Nothing
    \/ phase = "closed" /\ Nothing

WaitElapsed(r) ==
    \/ \E n \in Names : r \in waitTimers /\ WaitingFor(r, n) /\ LeaveQueue(r, n)
    \/ r \notin waitTimers /\ Nothing

LeaseElapsed(token) ==
    \/ \E n \in Names : token \in leaseTimers /\ hold[n].token = token /\ EndHold(n)
    \/ token \notin leaseTimers /\ Nothing

GraceElapsed ==
    \/ graceTimer /\ Close
    \/ ~graceTimer /\ Nothing

Next ==
    \/ \E r \in Requests, n \in Names, wait \in Waits, leased \in BOOLEAN :
           Acquire(r, n, wait, leased)
    \/ \E r \in Requests : Cancel(r)
    \/ \E r \in Requests, token \in 0..next : Release(r, token)
    \/ \E r \in Requests, token \in 0..next : Renew(r, token)
    \/ \E n \in Names : ForceRelease(n)
    \/ \E grace \in {"no", "bounded"} : Shutdown(grace)
    \/ \E r \in Requests : WaitElapsed(r)
    \/ \E token \in 0..next : LeaseElapsed(token)
    \/ GraceElapsed

Spec == Init /\ [][Next]_vars

(***************************************************************************)
(* What is true of every state, by the IDs of docs/invariants.md           *)
(***************************************************************************)

S1 == \A r \in Requests : Cardinality({n \in Names : hold[n].request = r}) <= 1

S2 ==
    /\ \A n \in Names : hold[n].token < next
    /\ \A m, n \in Names : (Held(m) /\ hold[m].token = hold[n].token) => m = n

S5 ==
    \A r \in Waiters :
        /\ ~Holding(r)
        /\ Cardinality({n \in Names : WaitingFor(r, n)}) = 1
        /\ \A n \in Names : Cardinality({p \in Places(n) : queue[n][p].request = r}) <= 1

TimedWaiters(n) == {queue[n][p].request : p \in {q \in Places(n) : queue[n][q].timed}}

S6 ==
    /\ waitTimers = UNION {TimedWaiters(n) : n \in Names}
    /\ leaseTimers = {hold[n].token : n \in {m \in Names : hold[m].leased}}
    /\ graceTimer = (phase = "draining")

S7 == \A n \in Names : queue[n] # <<>> => Held(n)

S9 ==
    /\ phase # "open" => Waiters = {}
    /\ phase = "closed" => HeldNames = {}

S10 ==
    /\ Cardinality(HeldNames) <= MostNames
    /\ \A n \in Names : Len(queue[n]) <= MostWaiters
=============================================================================
