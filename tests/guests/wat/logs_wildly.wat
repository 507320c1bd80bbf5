;; `embed` logs what cannot be logged; the number of texts says what: 1, a level that does not exist; 2,
;; a message that lies beyond the end of memory; 3, one that is no text; 4, nothing, without end.
;;
;; Promise: an argument that cannot be read is the guest's failure, and a call of the host no way
;; around the deadline. Expected: `guest.trap` for 1 to 3, then `limit.deadline`.
(component
  (type $log-types (instance
    (type $level (enum "error" "warn" "info" "debug"))
    (export "level" (type $exported (eq $level)))
    (export "write" (func (param "level" $exported) (param "message" string)))))
  (import "ampoule:model/log@0.1.0" (instance $log (type $log-types)))
  ;; The memory comes first, since lowering the import needs it.
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory"))))
  (core module $guest
    (import "log" "write" (func $write (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (export "memory" (memory 0))
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (data (i32.const 192) "\ff\fe")
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (if (i32.eq (local.get $count) (i32.const 1))
        (then (call $write (i32.const 9) (i32.const 0) (i32.const 0))))
      (if (i32.eq (local.get $count) (i32.const 2))
        (then (call $write (i32.const 2) (i32.const 65535) (i32.const 2))))
      (if (i32.eq (local.get $count) (i32.const 3))
        (then (call $write (i32.const 2) (i32.const 192) (i32.const 2))))
      (if (i32.eq (local.get $count) (i32.const 4))
        (then (loop $again
          (call $write (i32.const 3) (i32.const 0) (i32.const 0))
          (br $again))))
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
    (with "log" (instance (export "write" (func $write))))
    (with "libc" (instance $libc))))

  ;; contract: text-embedding
)
