;; Its `init` fails with a message in which stands what the system, the standard library and the engine say when
;; they are at their limits.
;;
;; Promise: a guest chooses no code of the host's. Expected at load: `guest.error`, with a process that compiles
;; and without.
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; The failure of `init`: its code, and its message.
    (data (i32.const 16) "\01\00\00\00" "\40\00\00\00\07\00\00\00" "\48\00\00\00\c0\00\00\00")
    (data (i32.const 64) "model.x")
    ;; 192 bytes.
    (data (i32.const 72)
      "cannot read: os error 12; memory allocation of 9 bytes failed; kind: WouldBlock; "
      "fuel allocated for hostcalls has been exhausted; instance count too high at 9; "
      "in the pooling allocator        ")
    (func (export "init") (result i32) (i32.const 16))
    ;; Zeros: empty strings and lists.
    (func (export "describe") (result i32) (i32.const 1024))
    (func (export "embed") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "cleanup") (param i32))
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))
  ;; contract: text-embedding
)
