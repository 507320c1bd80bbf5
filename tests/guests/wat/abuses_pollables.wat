;; `embed` abuses the handles of what it waits for; the number of texts says how: 1, drops one twice; 2,
;; waits for one that it made up; 3, waits for one that it dropped; 4, makes them without end; 5, waits
;; for the end of time; 6, waits for a list of none; 7, waits for a list of a million times the same
;; one; 8, waits for what is ready, without end.
;;
;; Promise: a handle is worth what the host gave it for, the host keeps a bounded number of things
;; for a guest, and waiting is no way around the deadline. Expected: `guest.trap` for 1 to 4 and 6,
;; `limit.deadline` for 5 and 8, `limit.output` for 7.
(component
  (type $poll-types (instance
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (import "wasi:io/poll@0.2.0" (instance $poll (type $poll-types)))
  (alias export $poll "pollable" (type $pollable))
  (type $clock-types (instance
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $same (eq $outer)))
    (export "subscribe-instant" (func (param "when" u64) (result (own $same))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (type $clock-types)))
  ;; The memory comes first, since lowering the imports needs it.
  (core module $libc
    (memory (export "memory") 128)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $libc (instantiate $libc))
  (core func $subscribe (canon lower (func $clock "subscribe-instant")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $wait (canon lower (func $poll "poll")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $drop (canon resource.drop $pollable))
  (core module $guest
    (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "clock" "block" (func $block (param i32)))
    (import "clock" "wait" (func $wait (param i32 i32 i32)))
    (import "clock" "drop" (func $drop (param i32)))
    (import "libc" "memory" (memory 128))
    (export "memory" (memory 0))
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (local $one i32)
      (if (i32.eq (local.get $count) (i32.const 2)) (then (call $block (i32.const 77))))
      (if (i32.eq (local.get $count) (i32.const 4))
        (then (loop $again
          (drop (call $subscribe (i64.const 0)))
          (br $again))))
      (if (i32.eq (local.get $count) (i32.const 5))
        (then (call $block (call $subscribe (i64.const -1)))))
      (if (i32.eq (local.get $count) (i32.const 6))
        (then (call $wait (i32.const 0) (i32.const 0) (i32.const 512))))
      (local.set $one (call $subscribe (i64.const 0)))
      (if (i32.eq (local.get $count) (i32.const 1))
        (then (call $drop (local.get $one)) (call $drop (local.get $one))))
      (if (i32.eq (local.get $count) (i32.const 3))
        (then (call $drop (local.get $one)) (call $block (local.get $one))))
      (if (i32.eq (local.get $count) (i32.const 7))
        (then
          (local.set $texts (i32.const 65536))
          (loop $next
            (i32.store (local.get $texts) (local.get $one))
            (local.set $texts (i32.add (local.get $texts) (i32.const 4)))
            (br_if $next (i32.lt_u (local.get $texts) (i32.const 4065536))))
          (call $wait (i32.const 65536) (i32.const 1000000) (i32.const 512))))
      (if (i32.eq (local.get $count) (i32.const 8))
        (then (loop $again (call $block (local.get $one)) (br $again))))
      (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "clock" (instance
      (export "subscribe" (func $subscribe)) (export "block" (func $block))
      (export "wait" (func $wait)) (export "drop" (func $drop))))
    (with "libc" (instance $libc))))

  ;; contract: text-embedding
)
